# rope.scaling.attn_factor beside linear scaling: llama.cpp multiplies by it, this program does not
$Q eval tests/golden/cases/17-rope-scale_linear/attn-factor.gguf --text tests/golden/cases/17-rope-scale_linear/ids.jsonl
