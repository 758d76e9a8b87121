#include "cli/shared_options.h"
#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    QZ_OPT_CONFIG,
    {"to", 0, QZ_OPT_TEXT, QZ_AT(to), "SCHEME", NULL, 0, 0,
     "one artifact: gguf:Q4_K_M, awq, gptq, gptq:w4g64+asym, bnb:nf4 …"},
    {"output", 'o', QZ_OPT_TEXT, QZ_AT(output), "OUT", NULL, 0, 0,
     "output file or folder (default: <model>.Q4_K_M.gguf, <model>-AWQ)"},
    {"calib", 0, QZ_OPT_TEXT, QZ_AT(data), "FILE", NULL, 0, 0, "calibration data: JSONL or text"},
    {"stats", 0, QZ_OPT_TEXT, QZ_AT(stats), "FILE", NULL, 0, 0, "statistics written by 'quantz calibrate'"},
    {"imatrix", 0, QZ_OPT_TEXT, QZ_AT(imatrix), "FILE", NULL, 0, 0,
     "importance matrix of llama-imatrix (.dat or GGUF)"},
    QZ_OPT_SAMPLES_ROW,
    QZ_OPT_LENGTHS_ROW,
    QZ_OPT_RAW_ROW,
    QZ_OPT_ROUTE_ROW,
    QZ_OPT_SEQ_LEN_ROW,
    QZ_OPT_NO_BOS_ROW,
    QZ_OPT_SEARCH_ROW,
    {"propagate", 0, QZ_OPT_TEXT, QZ_AT(propagate), "KIND", NULL, 0, 0,
     "awq, gptq, gguf: statistics of the original model, or of the model quantized so far (better with --search best); "
     "default quantized where --calib gives tokens, "
     "original with --stats and for awq in compat"},
    {"effort", 0, QZ_OPT_TEXT, QZ_AT(effort), "LEVEL", "default", 0, 0,
     "fast: at most 32 windows, statistics of the original model, codes by error feedback alone (--without "
     "descent,refit,norms); default and high: all of it, layer by layer where --calib gives tokens"},
    {"together", 0, QZ_OPT_FLAG, QZ_AT(together), NULL, NULL, 0, 0,
     "with quantized statistics: all linears of a block at once, not one input after the other"},
    {"damp", 0, QZ_OPT_REAL, QZ_AT(damp), "X", NULL, 1e-4, 1,
     "share of the mean diagonal added to the Gram matrix of awq, gptq and GGUF types (default: decided on held-out "
     "tokens for every input; compat 0.01)"},
    {"mse", 0, QZ_OPT_REAL, QZ_AT(mse), "NORM", "0", 0, 8,
     "gptq, ct --search compat: range search under |error|^NORM (2.4), 0 = off"},
    {"without", 0, QZ_OPT_TEXT, QZ_AT(without), "PARTS", NULL, 0, 0,
     "leave parts of --search best out: fold, asymmetric, residual, order, descent, refit, norms, sign, inputs "
     "(rounded as servers do), experts (their statistics as few tokens gave them)"},
    QZ_OPT_MODULE_ROW,
    {"no-clip", 0, QZ_OPT_FLAG, QZ_AT(no_clip), NULL, NULL, 0, 0,
     "awq --search compat: without the search of clipping bounds (AutoAWQ's apply_clip=False)"},
    {"no-mtp", 0, QZ_OPT_FLAG, QZ_AT(no_mtp), NULL, NULL, 0, 0,
     "without the tensors that predict tokens beyond the next (MTP); else they are carried in their own floats"},
    {"tensor-type", 0, QZ_OPT_LIST, QZ_AT(tensor_types), "RULE", NULL, 0, 0,
     "gguf, may be repeated: REGEX=TYPE for tensors whose GGUF name matches: 'ffn_down=q6_K'; the first that matches "
     "decides"},
    {"output-tensor-type", 0, QZ_OPT_TEXT, QZ_AT(output_type), "TYPE", NULL, 0, 0, "gguf: type of the output matrix"},
    {"token-embedding-type", 0, QZ_OPT_TEXT, QZ_AT(embedding_type), "TYPE", NULL, 0, 0, "gguf: type of the embedding"},
    {"leave-output-tensor", 0, QZ_OPT_FLAG, QZ_AT(leave_output), NULL, NULL, 0, 0,
     "gguf: the output matrix stays as the source has it"},
    {"pure", 0, QZ_OPT_FLAG, QZ_AT(pure), NULL, NULL, 0, 0, "gguf: the level's own type for every tensor, no mix"},
    {"allow-requantize", 0, QZ_OPT_FLAG, QZ_AT(allow_requantize), NULL, NULL, 0, 0,
     "gguf: code a GGUF file again that is coded already; tensors of the same type are copied"},
    {"override-kv", 0, QZ_OPT_LIST, QZ_AT(overrides), "EDIT", NULL, 0, 0,
     "gguf, may be repeated: KEY=TYPE:VALUE with int, float, bool or str, as llama-quantize takes it"},
    {"config-dir", 0, QZ_OPT_TEXT, QZ_AT(config_dir), "DIR", NULL, 0, 0,
     "folder whose config.json and tokenizer a folder artifact carries (default: the source, or what the keys of a "
     "GGUF source say)"},
    {"split-max-size", 0, QZ_OPT_TEXT, QZ_AT(split_size), "N(M|G)", NULL, 0, 0,
     "gguf: parts of at most so much tensor data (10^6, 10^9 bytes): OUT-00001-of-0000N.gguf"},
    {"split-max-tensors", 0, QZ_OPT_TEXT, QZ_AT(split_tensors), "N", NULL, 0, 0, "gguf: parts of at most N tensors"},
    {"keep-split", 0, QZ_OPT_FLAG, QZ_AT(keep_split), NULL, NULL, 0, 0, "gguf: the parts that a split GGUF source has"},
    {"reserve", 0, QZ_OPT_TEXT, QZ_AT(reserve_room), "N(K|M)", NULL, 0, 0,
     "gguf: room in the header, in which 'quantz gguf set' changes keys without writing the file anew (default 64K; 0 "
     "below 64 MiB of tensor data and with --search compat)"},
    QZ_OPT_STRICT_ROW,
    {"accept", 0, QZ_OPT_TEXT, QZ_AT(accept), "CODES", NULL, 0, 0,
     "accept findings of the data lint (CAL-DUP …) and of the model (MOD-UNUSED,MOD-KEYS,MOD-FLOAT); the artifact "
     "says so"},
    QZ_OPT_ENGINE_ROW,
    QZ_OPT_TP_ROW,
    QZ_OPT_CC_ROW,
    {"name", 0, QZ_OPT_TEXT, QZ_AT(name), "NAME", NULL, 0, 0,
     "model name in metadata and cards (default: the folder's name)"},
    QZ_OPT_PRE_ROW,
    QZ_OPT_FORCE_ROW,
    QZ_OPT_RESUME_ROW,
    {"dry-run", 'n', QZ_OPT_FLAG, QZ_AT(dry_run), NULL, NULL, 0, 0,
     "print tensor types and the exact size, write nothing"},
};
const qz_verb qz_verb_quantize = {
    .name = "quantize", .summary = "one artifact from a checkpoint (or from a GGUF file)",
    .operands = "MODEL [OUT LEVEL]", .min_operands = 1, .max_operands = 4,
    .details = "Also understands llama-quantize's order: quantz quantize IN.gguf OUT.gguf Q4_K_M [threads].",
    QZ_OPTIONS(options), .run = qz_run_quantize_verb};
