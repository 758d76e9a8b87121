# Small front of CMake and Ninja. Two commands on a bare Debian 12 machine do everything: `make demo`, `make check`.
.PHONY: all build setup demo check check-long bench interop install clean record
BUILD := build/release
QUANTZ := $(BUILD)/quantz

all: build
setup:
	@scripts/setup
build: setup
	@test -f $(BUILD)/build.ninja || cmake --preset release > build.log 2>&1 || (cat build.log; exit 1)
	@cmake --build $(BUILD)

# The bundled model becomes AWQ, Q4_K_M, Q5_K_M and Q8_0 artifacts and one table.
demo: build
	$(QUANTZ) release models/market --to awq,gguf:Q4_K_M,gguf:Q5_K_M,gguf:Q8_0 --calib models/market/calibration.jsonl \
	  --text models/market/eval.jsonl --tasks models/market/tasks.jsonl -o dist --force

check: build
	@scripts/check $(BUILD) ''
check-long: build
	@QZ_LONG=1 scripts/check $(BUILD) ''
	@scripts/valgrind $(BUILD)
bench: build
	@scripts/bench $(BUILD)
interop: build
	@tests/interop/run $(QUANTZ)
# Records the expected output of the command-line tests again; look at the difference before you commit it.
record: build
	@tests/cli/run.sh --record $(QUANTZ)
install: build
	cmake --install $(BUILD)
clean:
	rm -rf build dist build.log
