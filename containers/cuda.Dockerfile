# Written by `make containers` from envs/; build with `docker build -f containers/cuda.Dockerfile -t abignet:cuda .`.
FROM condaforge/miniforge3:latest
LABEL io.github.snakemake.containerized="true"
LABEL io.github.snakemake.conda_env_hash="4f052b3a47a0c1da0784dd52878b7de03384cd379789c4916f331402c874ff3f"
# Conda environment:
#   source: envs/cellgraph.yaml
#   prefix: /conda-envs/ed330b8bb55ece55f088ea9a76950bfe
#   # Environment of the rules build_cell_graphs, cache_features and import_features.
#   channels:
#     - conda-forge
#     - nodefaults
#   dependencies:
#     - python=3.11
#     - numpy=2.0.2
#     - pandas=2.3.3
#     - pyarrow=26.0.1
#     - zarr=3.1.6
#     - h5py=3.16.0
#     - tqdm=4.70.1
#     - pip
#     - scipy=1.17.1
#     - numba=0.68.1
#     - threadpoolctl=3.8.0
ENV CONDA_OVERRIDE_CUDA=12.8
RUN mkdir -p /conda-envs/ed330b8bb55ece55f088ea9a76950bfe
COPY envs/cellgraph.yaml /conda-envs/ed330b8bb55ece55f088ea9a76950bfe/environment.yaml
# Conda environment:
#   source: envs/nuclei-cuda.yaml
#   prefix: /conda-envs/9c9d1f53040db54fb33c68f23a7f35c6
#   # Environment of the rule segment_nuclei with CUDA (where jobs ask for a card: docs/gpu.md).
#   channels:
#     - conda-forge
#     - nodefaults
#   dependencies:
#     - python=3.11
#     - numpy=2.0.2
#     - pandas=2.3.3
#     - pyarrow=26.0.1
#     - tqdm=4.70.1
#     - pip
#     - openslide=4.0
#     - openslide-python=1.4.7
#     - pillow=13.0.0
#     - tifffile=2026.3.3
#     - imagecodecs=2026.3.6
#     - simplejpeg=1.9.0
#     - scipy=1.17.1
#     - scikit-image=0.26.0
#     - numba=0.68.1
#     - py-opencv=5.0.0
#     - shapely=2.2.0
#     - cellpose=3.1.1.3
#     - pytorch-gpu=2.13.0
#     - openvino=2026.4.1
#     - __cuda
RUN mkdir -p /conda-envs/9c9d1f53040db54fb33c68f23a7f35c6
COPY envs/nuclei-cuda.yaml /conda-envs/9c9d1f53040db54fb33c68f23a7f35c6/environment.yaml
# Conda environment:
#   source: envs/report.yaml
#   prefix: /conda-envs/3d3161a09905b7430debcc3b7d25c420
#   # Environment of the rules write_report, write_panels, export_geojson, export_run and export_tiles.
#   channels:
#     - conda-forge
#     - nodefaults
#   dependencies:
#     - python=3.11
#     - numpy=2.0.2
#     - pandas=2.3.3
#     - pyarrow=26.0.1
#     - zarr=3.1.6
#     - h5py=3.16.0
#     - pyyaml=6.0.3
#     - tqdm=4.70.1
#     - pip
#     - openslide=4.0
#     - openslide-python=1.4.7
#     - pillow=13.0.0
#     - tifffile=2026.3.3
#     - imagecodecs=2026.3.6
#     - simplejpeg=1.9.0
#     - scipy=1.17.1
#     - scikit-learn=1.9.1
#     - shapely=2.2.0
#     - matplotlib-base=3.11.2
#     - jinja2=3.1.6
#     - markupsafe=3.0.4
RUN mkdir -p /conda-envs/3d3161a09905b7430debcc3b7d25c420
COPY envs/report.yaml /conda-envs/3d3161a09905b7430debcc3b7d25c420/environment.yaml
# Conda environment:
#   source: envs/tiling.yaml
#   prefix: /conda-envs/9061ddbdd2212b313ea2a1ab60152685
#   # Environment of the rules tile_slide, import_tiles, tile_nuclei and import_nuclei.
#   channels:
#     - conda-forge
#     - nodefaults
#   dependencies:
#     - python=3.11
#     - numpy=2.0.2
#     - pandas=2.3.3
#     - pyarrow=26.0.1
#     - h5py=3.16.0
#     - tqdm=4.70.1
#     - pip
#     - openslide=4.0
#     - openslide-python=1.4.7
#     - pillow=13.0.0
#     - tifffile=2026.3.3
#     - imagecodecs=2026.3.6
#     - simplejpeg=1.9.0
#     - scipy=1.17.1
#     - shapely=2.2.0
RUN mkdir -p /conda-envs/9061ddbdd2212b313ea2a1ab60152685
COPY envs/tiling.yaml /conda-envs/9061ddbdd2212b313ea2a1ab60152685/environment.yaml
# Conda environment:
#   source: envs/training-cuda.yaml
#   prefix: /conda-envs/792a34692f4725892d4df4a18c08637a
#   # Environment of the rules train_fold, explain_fold, interpret, train_final and predict with CUDA (where jobs ask for a card: docs/gpu.md).
#   channels:
#     - conda-forge
#     - nodefaults
#   dependencies:
#     - python=3.11
#     - numpy=2.0.2
#     - pandas=2.3.3
#     - zarr=3.1.6
#     - h5py=3.16.0
#     - tqdm=4.70.1
#     - pip
#     - scipy=1.17.1
#     - dask-core=2026.8.0
#     - scikit-learn=1.9.1
#     - pytorch-gpu=2.13.0
#     - pytorch_geometric=2.8.1
#     - __cuda
#     - pip:
#         - einops==0.8.2
#         - lightning-utilities==0.15.3
#         - pyvers==0.2.3
#         - tensordict==0.15.3
#         - torchmetrics==1.9.0
#         - torchmil==1.0.2
RUN mkdir -p /conda-envs/792a34692f4725892d4df4a18c08637a
COPY envs/training-cuda.yaml /conda-envs/792a34692f4725892d4df4a18c08637a/environment.yaml
# Conda environment:
#   source: envs/training.yaml
#   prefix: /conda-envs/af5bb4c95351d667daee7ce2256837ad
#   # Environment of the rules split_cohort, train_fold, explain_fold, interpret, train_final, evaluate and predict on a CPU.
#   channels:
#     - conda-forge
#     - nodefaults
#   dependencies:
#     - python=3.11
#     - numpy=2.0.2
#     - pandas=2.3.3
#     - zarr=3.1.6
#     - h5py=3.16.0
#     - tqdm=4.70.1
#     - pip
#     - scipy=1.17.1
#     - dask-core=2026.8.0
#     - scikit-learn=1.9.1
#     - pytorch-cpu=2.13.0
#     - pytorch_geometric=2.8.1
#     - pip:
#         - einops==0.8.2
#         - lightning-utilities==0.15.3
#         - pyvers==0.2.3
#         - tensordict==0.15.3
#         - torchmetrics==1.9.0
#         - torchmil==1.0.2
RUN mkdir -p /conda-envs/af5bb4c95351d667daee7ce2256837ad
COPY envs/training.yaml /conda-envs/af5bb4c95351d667daee7ce2256837ad/environment.yaml

RUN conda env create --prefix /conda-envs/ed330b8bb55ece55f088ea9a76950bfe --file /conda-envs/ed330b8bb55ece55f088ea9a76950bfe/environment.yaml && \
    conda env create --prefix /conda-envs/9c9d1f53040db54fb33c68f23a7f35c6 --file /conda-envs/9c9d1f53040db54fb33c68f23a7f35c6/environment.yaml && \
    conda env create --prefix /conda-envs/3d3161a09905b7430debcc3b7d25c420 --file /conda-envs/3d3161a09905b7430debcc3b7d25c420/environment.yaml && \
    conda env create --prefix /conda-envs/9061ddbdd2212b313ea2a1ab60152685 --file /conda-envs/9061ddbdd2212b313ea2a1ab60152685/environment.yaml && \
    conda env create --prefix /conda-envs/792a34692f4725892d4df4a18c08637a --file /conda-envs/792a34692f4725892d4df4a18c08637a/environment.yaml && \
    conda env create --prefix /conda-envs/af5bb4c95351d667daee7ce2256837ad --file /conda-envs/af5bb4c95351d667daee7ce2256837ad/environment.yaml && \
    conda clean --all -y
