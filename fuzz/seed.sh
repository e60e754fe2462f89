#!/usr/bin/env bash
# Fills the corpora with the repository's own files.
set -euo pipefail
cd "$(dirname "$0")/.."
corpus=fuzz/corpus
mkdir -p "$corpus"/{preset,sweep,calibration,artifact}

# A file's name in a corpus: its path.
name() { tr / _ <<<"$1"; }

for file in presets/ants/* presets/colonies/*; do
    cp "$file" "$corpus/preset/$(name "$file")"
done
for file in presets/sweeps/*; do
    cp "$file" "$corpus/sweep/$(name "$file")"
done
# Behind the text the terms to predict with: 4 GiB, 2^56 and 1 as eight bytes each.
for file in presets/calibrations/* docs/results/*/calibration.toml; do
    { cat "$file"; printf '\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\1\1\0\0\0\0\0\0\0'; } \
        >"$corpus/calibration/$(name "$file")"
done
# A workload as a row's artifacts have it, and the three artifacts joined by NUL bytes.
git ls-files '*/metrics.json' | while read -r metrics; do
    run=$(dirname "$metrics")
    { cat "$metrics"; printf '\0'; cat "$run/run_cmd.txt"; printf '\0'; cat "$run/env.json"; } \
        >"$corpus/artifact/$(name "$run")"
    python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin)["resolved_spec"]))' \
        <"$run/run_cmd.txt" >"$corpus/preset/$(name "$run").json"
done
