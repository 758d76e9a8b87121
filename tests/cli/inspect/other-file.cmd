$Q inspect tests/cli/run.sh
