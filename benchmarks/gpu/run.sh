#!/bin/bash
# One run of the project on a machine with a card, from the folder that prepare.sh laid out: OUT=results bash .gpu/run.sh
# ONLY="train_cuda nuclei_cuda": these steps alone, on what an earlier call left in $W; SECTIONS="goes_on": these of their parts.
# Every step has its own limit and none starts when LIMIT seconds are nearly over. REHEARSE=1: tiny, on a CPU.
set -u
export LIMIT=${LIMIT:-500}
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname "$HERE")
W=${W:-$HERE/work}; OUT=${OUT:?}; SITE=${SITE:-$HERE/site}; PY=${PY:-python3}
CELLPOSE=${CELLPOSE:-$HERE/weights/cellpose3_cpnet_cyto_scellseg}
DEVICE=${DEVICE:-cuda}
IMAGES=500; [ -n "${REHEARSE:-}" ] && IMAGES=24
[ -z "${ONLY:-}" ] && rm -rf "$W"
mkdir -p "$W/logs" "$W/json" "$W/ref" "$OUT"
exec > >(tee "$OUT/log.txt") 2>&1
export PYTHONUNBUFFERED=1 PYTHONWARNINGS=ignore TQDM_DISABLE=1 MPLCONFIGDIR=$W/mpl
SECONDS=0
left() { echo $((LIMIT - SECONDS)); }
lines() { grep '^| ' "$W/logs/$1.log" | cut -c1-1000; }
tails() { echo "   ... tail of $1:"; grep -v '^| ' "$W/logs/$1.log" | tail -n "${2:-12}" | cut -c1-220 | sed 's/^/   /'; }
merge() { $PY "$HERE/drivers/merge.py" "$W" "$OUT/results.json" "${1:-}"; }
wanted() { [ -z "${ONLY:-}" ] || [[ " $ONLY " == *" $1 "* ]]; }
step() { # name, most seconds, seconds without which it is not worth starting, command...
  local name=$1 most=$2 least=$3 before=$SECONDS; shift 3
  wanted "$name" || return 1
  [ "$(left)" -lt "$least" ] && { echo "## $name: not started, $(left) s left"; return 1; }
  [ -n "${REHEARSE:-}" ] && most=$((10 * most)) # on a busy processor
  [ "$(left)" -lt "$most" ] && most=$(left)
  timeout -k 5 "$most" "$@" >"$W/logs/$name.log" 2>&1; local rc=$?
  echo "## $name: rc $rc, $((SECONDS - before)) s of $most (at $SECONDS s)"
  lines "$name"
  [ $rc -ne 0 ] && tails "$name" 14
  return $rc
}
ASIDE=""; PIN=""; [ "$(nproc)" -ge 16 ] && command -v taskset >/dev/null && PIN="taskset -c 8-$(($(nproc) - 1))"
aside() { # name, command...: on the other cores, in the background
  local name=$1; shift
  wanted "$name" || return 0
  # shellcheck disable=SC2086
  $PIN timeout -k 5 $((LIMIT - 20)) "$@" >"$W/logs/$name.log" 2>&1 &
  ASIDE="$ASIDE $!"
}
ab() { $PY -c "from pipeline.cli import main; main()" "$@"; }
export -f ab; export PY

# ---- 1. packages and the work copy
echo "## $(date -u +%H:%M:%S) $(uname -r), $(nproc) cores, $($PY --version 2>&1)"
nvidia-smi --query-gpu=name,driver_version,memory.total,compute_mode --format=csv,noheader 2>&1 | head -2
if [ ! -d "$SITE" ] && compgen -G "$HERE/whl/*.whl" >/dev/null; then
  $PY -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade --target "$SITE" "$HERE"/whl/*.whl \
    >"$W/logs/pip.log" 2>&1 || { echo "## pip failed"; tail -20 "$W/logs/pip.log"; exit 1; }
fi
[ -d "$W/main" ] || cp -r "$HERE/main" "$W/main"
export PROJECT=$W/main PYTHONPATH=$SITE:$W/main ABIGNET_REAL_DATA=$HERE/real
$PY "$HERE/drivers/shim.py" "$W/main" || echo "## shim failed: nuclei on torch 2.11 will not run"
$PY - "$DEVICE" <<'P' || { echo "## no CUDA, or the project cannot be imported: stopped"; exit 1; }
import sys, torch, pandas, zarr, shapely, numpy
print("| torch", torch.__version__, "numpy", numpy.__version__, "pandas", pandas.__version__, "zarr", zarr.__version__,
      "CUDA", torch.cuda.is_available(), torch.cuda.device_count() and torch.cuda.get_device_name(0))
sys.exit(sys.argv[1] == "cuda" and not torch.cuda.is_available())
P
echo "## ready at $SECONDS s"
nvidia-smi --query-gpu=timestamp,utilization.gpu,memory.used --format=csv,noheader,nounits -lms 100 >"$W/util.csv" 2>/dev/null & SAMPLER=$!

# ---- aside, on the CPU: the same work for comparison
cd "$W" || exit 1
aside env $PY "$HERE/drivers/env.py" --out "$W/json/env.json"
aside doctor bash -c "ab doctor"
aside cli_cpu bash -c "ab synth planted --variant standard --images $IMAGES --out $W/planted >$W/logs/synth.log 2>&1 && touch $W/planted.done &&
  date +%s.%N >$W/cli_cpu.start && ab train --sheet $W/planted/slides.csv --out $W/cli_cpu --method default --only-fold 0 --device cpu; date +%s.%N >$W/cli_cpu.end"
aside nuclei_cpu $PY "$HERE/drivers/nuclei.py" --device cpu --out "$W/json/nuclei_cpu.json" --image "$HERE/img/crc2048.jpg" \
  --weights "$CELLPOSE" --reference "$W/ref" --threads 5 --only compact full cellpose
aside train_cpu $PY "$HERE/drivers/train.py" --device cpu --out "$W/json/train_cpu.json" ${SECTIONS:+--only default_float32}
aside bags_cpu $PY "$HERE/drivers/bags.py" --device cpu --out "$W/json/bags_cpu.json" --work "$W/bags" --only one_fold
aside sparse_cpu $PY "$HERE/drivers/sparse_steps.py" --device cpu --out "$W/json/sparse_cpu.json" --only sparse sparse_pyg

# ---- 2. the tests that need CUDA: first, or after the goals
PYTEST="$PY -m pytest -q -p no:cacheprovider -W ignore --tb=short --rootdir=$W/main -c $W/main/pyproject.toml"
pytest_gpu() {
  local mark=gpu files
  cd "$W/main" || exit 1
  files="tests/gpu $(grep -rl "mark.gpu" tests --include="test_*.py" | grep -v ^tests/gpu/ | tr '\n' ' ')"
  [ -n "${REHEARSE:-}" ] && { mark="not gpu and not slow"; files="tests/gpu/test_graphs.py tests/gpu/test_nuclei.py"; }
  # shellcheck disable=SC2086
  step pytest_gpu 180 20 $PYTEST -m "$mark" --durations=8 $files
  tail -n 24 "$W/logs/pytest_gpu.log" | cut -c1-240 | grep -E "passed|failed|FAILED|ERROR|error|s call|s setup"
  cp "$W/logs/pytest_gpu.log" "$OUT/pytest.txt" 2>/dev/null
  cd "$W" || exit 1
}
[ -z "${TESTS_LAST:-}" ] && pytest_gpu

# ---- 3. the command, end to end, then training in depth
for _ in $(seq 60); do [ -n "${ONLY:-}" ] || [ -e "$W/planted.done" ] && break; sleep 0.5; done
step cli_cuda 60 30 bash -c "ab train --sheet $W/planted/slides.csv --out $W/cli_cuda --method default --only-fold 0 --device $DEVICE"
grep -E "pre-training|epoch 0:|kept epoch" "$W/logs/cli_cuda.log" 2>/dev/null | cut -c1-200; grep -E "^ *default " "$W/logs/cli_cuda.log" 2>/dev/null | cut -c1-120
merge
step train_cuda 115 30 $PY "$HERE/drivers/train.py" --device "$DEVICE" --out "$W/json/train_cuda.json" --profile "$OUT/profile.txt" --seconds 100 ${SECTIONS:+--only $SECTIONS}
merge

step bags_cuda 150 60 $PY "$HERE/drivers/bags.py" --device "$DEVICE" --out "$W/json/bags_cuda.json" --work "$W/bags" ${SECTIONS:+--only $SECTIONS}
merge

# ---- 4. sparse mode over the number of patches
step sparse_cuda 55 25 $PY "$HERE/drivers/sparse_steps.py" --device "$DEVICE" --out "$W/json/sparse_cuda.json" --seconds 45 ${SECTIONS:+--only $SECTIONS}
merge

# ---- 5. nuclei
step nuclei_cuda 100 40 $PY "$HERE/drivers/nuclei.py" --device "$DEVICE" --out "$W/json/nuclei_cuda.json" --image "$HERE/img/crc2048.jpg" \
  --weights "$CELLPOSE" --reference "$W/ref" --threads 8 --wait 10 --seconds 85 ${SECTIONS:+--only $SECTIONS}
merge
RUNTIME=auto; [ "$DEVICE" = cpu ] && RUNTIME=torch
step cli_segment 60 15 bash -c "ab segment --image $HERE/img/crc2048.jpg --mpp 0.55 --device auto --set nuclei.runtime=$RUNTIME --set nuclei.threads=4 --out $W/n.parquet && echo '| '\$(ab predict --model $W/cli_cuda/fold_0/model.pt --sheet $W/planted/slides.csv --out $W/p_cuda.csv --device $DEVICE | tail -1)"
tail -n 2 "$W/logs/cli_segment.log" 2>/dev/null | cut -c1-200
step compare 25 8 $PY "$HERE/drivers/compare.py" "$W"

[ -n "${TESTS_LAST:-}" ] && pytest_gpu

# ---- 6. the project's own tests with CUDA wherever they ask for the CPU, as far as time is left
if wanted pytest_cuda; then
[ -d "$W/main_cuda" ] || { cp -r "$W/main" "$W/main_cuda" && $PY "$HERE/drivers/cuda_everywhere.py" "$W/main_cuda"; }
cd "$W/main_cuda" || exit 1
T=tests/training; N=tests/nuclei
FILES="$T/test_train_fold.py $T/fitting/test_fitting.py $T/fitting/test_unfinished.py $T/test_predict.py $N/network/test_inference_engine.py \
  $N/learning/test_train_nuclei.py $N/segmentation/test_nuclei_in_tiles.py $N/segmentation/test_segment_image.py $T/fitting/test_planted_learning.py \
  $T/cross_validation/test_train_cohort.py $N/test_segment_nuclei.py $N/segmentation/test_segmenters.py $T/cross_validation/test_tune.py"
[ -n "${REHEARSE:-}" ] && FILES="$T/fitting/test_fitting.py $N/segmentation/test_segmenters.py"
PYTHONPATH=$SITE:$W/main_cuda step pytest_cuda 60 20 $PYTEST --rootdir="$W/main_cuda" -c "$W/main_cuda/pyproject.toml" ${XDIST:+-n $XDIST} --tb=line $FILES
grep -E "passed|failed|^FAILED|^ERROR|^E  " "$W/logs/pytest_cuda.log" 2>/dev/null | cut -c1-230 | tail -n 30
cat "$W/logs/pytest_cuda.log" >>"$OUT/pytest.txt" 2>/dev/null
cd "$W" || exit 1
fi

# ---- what ran aside
for _ in $(seq 200); do [ "$(left)" -lt 6 ] && break; alive=0; for p in $ASIDE; do kill -0 "$p" 2>/dev/null && alive=1; done; [ $alive = 0 ] && break; sleep 0.5; done
for p in $ASIDE; do kill "$p" 2>/dev/null; done
kill "$SAMPLER" 2>/dev/null
echo "## aside (CPU, pinned to '$PIN')"
for name in env train_cpu bags_cpu sparse_cpu nuclei_cpu; do lines $name; grep -q '^| ' "$W/logs/$name.log" || tails $name 6; done
[ -e "$W/cli_cpu.end" ] && echo "| cli train --device cpu: $($PY -c "print(round(float(open('$W/cli_cpu.end').read())-float(open('$W/cli_cpu.start').read()),1))") s"
grep -E "kept epoch|^ *default " "$W/logs/cli_cpu.log" 2>/dev/null | cut -c1-140
grep -E "CUDA:|weights|error|torch  |numpy  |all that" "$W/logs/doctor.log" 2>/dev/null | cut -c1-600
merge print
echo "## goals"; $PY "$HERE/drivers/goals.py" "$W" "$OUT/goals.md"
for log in "$W"/logs/*.log; do echo "=== $log"; tail -c 6000 "$log"; done >"$OUT/logs.txt" 2>/dev/null
ls -la "$OUT" | awk 'NR>1 {print $5, $9}' | tr '\n' ';'
echo; echo "## over at $SECONDS s"
exec 1>&- 2>&-
sleep 1
