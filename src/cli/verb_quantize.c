#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    QZ_OPT_CONFIG,
    {"to", 0, QZ_OPT_TEXT, QZ_AT(to), "SCHEME", NULL, 0, 0, "one artifact: gguf:Q4_K_M, awq, gptq, gptq:w4g64+asym, bnb:nf4 …"},
    {"output", 'o', QZ_OPT_TEXT, QZ_AT(output), "OUT", NULL, 0, 0, "output file or folder (default: <model>.Q4_K_M.gguf, <model>-AWQ)"},
    {"calib", 0, QZ_OPT_TEXT, QZ_AT(data), "FILE", NULL, 0, 0, "calibration data: JSONL or text"},
    {"stats", 0, QZ_OPT_TEXT, QZ_AT(stats), "FILE", NULL, 0, 0, "statistics written by 'quantz calibrate'"},
    {"imatrix", 0, QZ_OPT_TEXT, QZ_AT(imatrix), "FILE", NULL, 0, 0, "importance matrix of llama-imatrix (.dat or GGUF)"},
    {"samples", 0, QZ_OPT_COUNT, QZ_AT(samples), "N", "128", 1, 1e6, "calibration windows at most"},
    {"lengths", 0, QZ_OPT_TEXT, QZ_AT(lengths), "POLICY", "pack", 0, 0, "calibration samples that are longer: pack (joined and cut), truncate or drop"},
    {"raw", 0, QZ_OPT_FLAG, QZ_AT(raw), NULL, NULL, 0, 0, "calibration data without the chat template"},
    {"seq-len", 0, QZ_OPT_COUNT, QZ_AT(seq_len), "N", "512", 8, 131072, "tokens of a calibration window"},
    {"no-bos", 0, QZ_OPT_FLAG, QZ_AT(no_bos), NULL, NULL, 0, 0, "calibration windows as the text has them, not beginning with the model's BOS token"},
    {"search", 0, QZ_OPT_TEXT, QZ_AT(search), "MODE", "best", 0, 0, "best: lowest error; compat: the reference's own bytes"},
    {"propagate", 0, QZ_OPT_TEXT, QZ_AT(propagate), "KIND", NULL, 0, 0,
     "awq, gptq: statistics of the original model, or of the model quantized so far (better with --search best); default quantized where --calib gives tokens, "
     "original with --stats and for awq in compat"},
    {"together", 0, QZ_OPT_FLAG, QZ_AT(together), NULL, NULL, 0, 0, "with quantized statistics: all linears of a block at once, not one input after the other"},
    {"damp", 0, QZ_OPT_REAL, QZ_AT(damp), "X", NULL, 1e-4, 1,
     "share of the mean diagonal added to the Gram matrix of awq, gptq and GGUF types (default: decided on held-out tokens for every input; compat 0.01)"},
    {"mse", 0, QZ_OPT_REAL, QZ_AT(mse), "NORM", "0", 0, 8, "gptq --search compat: range search under |error|^NORM (2.4), 0 = off"},
    {"without", 0, QZ_OPT_TEXT, QZ_AT(without), "PARTS", NULL, 0, 0, "leave parts of --search best out: fold, asymmetric, residual, order, descent, refit, norms, sign"},
    {"module", 0, QZ_OPT_LIST, QZ_AT(modules), "RULE", NULL, 0, 0, "gptq, may be repeated: PATTERN=SETTINGS for single modules: 'down_proj=bits:8,group_size:32', 'layers.{0,31}=sym', 'layers.0.mlp=keep' (16 bits); settings bits:N, group_size:N, sym, asym, act_order, no_act_order; the first that matches decides"},
    {"strict", 0, QZ_OPT_FLAG, QZ_AT(strict), NULL, NULL, 0, 0, "statistics that cannot be factored are an error, not rounding to nearest"},
    {"accept", 0, QZ_OPT_TEXT, QZ_AT(accept), "CODES", NULL, 0, 0,
     "accept findings of the data lint (CAL-DUP …) and of the model (MOD-UNUSED,MOD-KEYS); the artifact says so"},
    {"engine", 0, QZ_OPT_TEXT, QZ_AT(engine), "NAME", NULL, 0, 0, "refuse at once what this engine cannot load: vllm, sglang, tgi, llama.cpp …"},
    {"tp", 0, QZ_OPT_COUNT, QZ_AT(tp), "N", NULL, 1, 64, "GPUs that will share the model (tensor parallel), with --engine"},
    {"cc", 0, QZ_OPT_TEXT, QZ_AT(cc), "X.Y", NULL, 0, 0, "compute capability of the card, with --engine: 7.5, 8.0, 8.9, 9.0 …"},
    {"name", 0, QZ_OPT_TEXT, QZ_AT(name), "NAME", NULL, 0, 0, "model name in metadata and cards (default: the folder's name)"},
    {"pre", 0, QZ_OPT_TEXT, QZ_AT(pre), "NAME", NULL, 0, 0, "GGUF pre-tokenizer name for a tokenizer that is not known"},
    {"force", 'f', QZ_OPT_FLAG, QZ_AT(force), NULL, NULL, 0, 0, "replace an existing output"},
    {"resume", 0, QZ_OPT_FLAG, QZ_AT(resume), NULL, NULL, 0, 0, "continue an interrupted run"},
    {"dry-run", 'n', QZ_OPT_FLAG, QZ_AT(dry_run), NULL, NULL, 0, 0, "print tensor types and the exact size, write nothing"},
};
const qz_verb qz_verb_quantize = {
    .name = "quantize", .summary = "one artifact from a checkpoint (or from a GGUF file)", .operands = "MODEL [OUT LEVEL]", .min_operands = 1, .max_operands = 4,
    .details = "Also understands llama-quantize's order: quantz quantize IN.gguf OUT.gguf Q4_K_M [threads].", QZ_OPTIONS(options), .run = qz_run_quantize_verb};
