#!/bin/bash
# Lay out what a machine with a card needs in DIR (default .gpu, which git ignores), from the project's root:
#   ABIGNET_REAL_DATA=... bash benchmarks/gpu/prepare.sh [DIR]
# With WHEELS=1 also the wheels that such a machine may lack when it reaches no registry (for Python 3.12 on x86-64).
set -eu
here=$(cd "$(dirname "$0")" && pwd); dir=${1:-.gpu}; real=${ABIGNET_REAL_DATA:?names the folder of public images and comparison weights}
mkdir -p "$dir/whl" "$dir/img" "$dir/weights" "$dir/main"
cp -r "$here/drivers" "$here/run.sh" "$here/goals.sh" "$dir/"
git archive HEAD -- . ':!docs/pictures' | tar -x -C "$dir/main"
mkdir -p "$dir/real/tcga_regions"; cp "$real"/tcga_regions/brca.* "$dir/real/tcga_regions/"
cp "$real/weights_scellseg_cellpose/cellpose3_cpnet_cyto_scellseg" "$dir/weights/"
[ -z "${WHEELS:-}" ] || "${PY:-.venv/bin/python}" -m pip download -q --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \
  --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_24_x86_64 --platform manylinux_2_17_x86_64 \
  --platform manylinux2014_x86_64 --platform manylinux_2_5_x86_64 --platform manylinux1_x86_64 -d "$dir/whl" \
  cellpose==3.1.1.3 donfig fastremap fill_voids google-crc32c natsort numcodecs openslide-bin openslide-python pandas==2.3.3 pytz \
  roifile shapely simplejpeg tzdata zarr==3.1.6
"${PY:-.venv/bin/python}" - "$real" "$dir" <<'P'
import sys
from pathlib import Path

from PIL import Image

files = sorted(Path(sys.argv[1], "crchistophenotypes/images").glob("*.webp"))[:25]
sheet = Image.new("RGB", (2500, 2500))
for i, f in enumerate(files):
    sheet.paste(Image.open(f).convert("RGB").resize((500, 500)), (500 * (i % 5), 500 * (i // 5)))
sheet.crop((0, 0, 2048, 2048)).save(Path(sys.argv[2], "img/crc2048.jpg"), quality=92)
P
du -sh "$dir"
