#!/bin/bash
# The goals of docs/gpu.md and the tests that need a card, in eight minutes, from the folder that prepare.sh laid out:
#   OUT=results bash .gpu/goals.sh       # the table is OUT/goals.md; the tests come last, in what time is left
set -u
export LIMIT=${LIMIT:-460} TESTS_LAST=1
export SECTIONS="recorded_steps kernels five_folds sparse compact full throughput profile_share"
export ONLY="env nuclei_cpu train_cpu bags_cpu sparse_cpu train_cuda bags_cuda sparse_cuda nuclei_cuda pytest_gpu"
exec bash "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/run.sh"
