"""Speed and memory against peers: same work, same machine, one run. `make bench` writes results.json."""
