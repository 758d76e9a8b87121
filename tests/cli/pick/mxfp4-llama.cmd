# gpt-oss' own blocks: in GGUF for llama.cpp; a folder of ModelOpt is no answer there
"$Q" pick gpt-oss-20b --hardware h100 --engine llama.cpp 2> /dev/null | grep -E '^(deploy|format|calibration|fallback)'
"$Q" quantize tests/golden/zoo/llama --to modelopt:nvfp4a16 -o "$W/m" --quiet > /dev/null 2>&1
"$Q" pick "$W/m" --hardware h100 --engine llama.cpp > "$W/log"
