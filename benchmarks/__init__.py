"""Speed and memory against peers: same work, same machine, one run. `make benchmarks` writes results.json."""
