/* Pre-flight rules against formats/engines.md section 4, hf-awq.md section 9, hf-gptq.md section 7 and the public
 * reports named in mission/users.md (U-05, U-27, U-37): every code fires on an input that breaks its rule and not on
 * one that keeps it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/json.h"
#include "formats/dtypes.h"
#include "model/families.h"
#include "model/kinds.h"
#include "deploy/preflight_int.h"

typedef struct { uint64_t hidden, inter, heads, kv, dim, vocab; bool tied; const char *dtype; } dims;
static const dims llama8b = {4096, 14336, 32, 8, 128, 128256, false, "float16"}, qwen72b = {8192, 29568, 64, 8, 128,
                             152064, false, "float16"},
                  qwen7b = {3584, 18944, 28, 4, 128, 152064, false, "float16"}, odd = {2880, 4544, 32, 8, 80, 1000,
                            true, "bfloat16"};

static qz_deploy_shape shape_of(const dims *d, qz_arena *a) {
    qz_config c = {.family = QZ_FAMILY_QWEN2, .vocab_size = d->vocab, .hidden_size = d->hidden,
                   .intermediate_size = d->inter, .layers = 4, .heads = d->heads, .kv_heads = d->kv,
                   .head_dim = d->dim, .tie_embeddings = d->tied};
    qz_deploy_shape s;
    qz_error err = {0};
    assert_int_equal(qz_deploy_shape_config(&c, a, &s, &err), QZ_OK);
    s.dtype = d->dtype;
    return s;
}

typedef struct {
    const char *code;       /* expected, or not expected when `not` */
    bool not;
    const dims *d;
    qz_deploy_spec spec;
    qz_target t;
    qz_finding_level level;
} row;
#define AWQ128 {.kind = QZ_DEPLOY_AWQ, .bits = 4, .group_size = 128, .zero_point = true}
#define GPTQ128 .kind = QZ_DEPLOY_GPTQ, .bits = 4, .group_size = 128, .sym = true, .zero_point = true
#define CARD(e, of) {.engine = QZ_RUNTIME_##e, .tp = 1, .cc = (of)}
#define INPUTS(g, to) {.kind = QZ_DEPLOY_CT_INT, .bits = 4, .group_size = (g), .sym = true, .inputs = to}
#define CT128 .kind = QZ_DEPLOY_CT_INT, .bits = 4, .group_size = 128, .sym = true, .zero_point = true
#define ON(e, n) {.engine = QZ_RUNTIME_##e, .tp = n}

static const row rows[] = {
    {"PRE-LOAD", false, &llama8b, {.kind = QZ_DEPLOY_GGUF}, ON(VLLM, 1), QZ_FINDING_ERROR}, /* R22: gone since 0.24 */
    {"PRE-LOAD", false, &llama8b, {.kind = QZ_DEPLOY_BNB, .bits = 4}, ON(VLLM, 1), QZ_FINDING_ERROR},
    {"PRE-LOAD", true, &llama8b, {.kind = QZ_DEPLOY_GGUF}, ON(LLAMA_CPP, 1), 0},
    {"PRE-LOAD", false, &llama8b, AWQ128, ON(LLAMA_CPP, 1), QZ_FINDING_ERROR}, /* reads GGUF only */
    {"PRE-LOAD", false, &llama8b, {.kind = QZ_DEPLOY_MODELOPT_FP4, .bits = 4}, ON(LM_STUDIO, 1), QZ_FINDING_ERROR},
    {"PRE-LOAD", false, &llama8b, AWQ128, ON(MLX, 1), QZ_FINDING_WARN}, /* documentation level only: a warning */
    {"PRE-LOAD", false, &llama8b, {.kind = QZ_DEPLOY_MODELOPT_MXFP4, .bits = 4}, ON(VLLM, 1), QZ_FINDING_ERROR},
    {"PRE-LOAD", false, &llama8b, {.kind = QZ_DEPLOY_MLX}, ON(SGLANG, 1), QZ_FINDING_NOTE}, /* no row: unknown */
    {"PRE-GPU", false, &llama8b, AWQ128, {.engine = QZ_RUNTIME_VLLM, .host = "laptop-16gb"}, QZ_FINDING_ERROR},
    {"PRE-GPU", false, &llama8b, {.kind = QZ_DEPLOY_FLOAT}, {.engine = QZ_RUNTIME_TGI, .host = "a"}, QZ_FINDING_ERROR},
    {"PRE-GPU", true, &llama8b, AWQ128, {.engine = QZ_RUNTIME_VLLM, .cc = 80}, 0},
    {"PRE-GPU", true, &llama8b, AWQ128, {.engine = QZ_RUNTIME_TRANSFORMERS, .host = "laptop-16gb"}, 0},
    {"PRE-CC", false, &llama8b, {CT128}, {.engine = QZ_RUNTIME_VLLM, .cc = 70}, QZ_FINDING_ERROR},
    {"PRE-CC", true, &llama8b, {CT128}, {.engine = QZ_RUNTIME_VLLM, .cc = 75}, 0},
    {"PRE-CC", false, &llama8b, {GPTQ128}, {.engine = QZ_RUNTIME_SGLANG, .cc = 75}, QZ_FINDING_ERROR},
    {"PRE-NATIVE", false, &llama8b, {.kind = QZ_DEPLOY_FP8, .bits = 8}, {.engine = QZ_RUNTIME_VLLM, .cc = 86},
     QZ_FINDING_WARN},
    {"PRE-NATIVE", true, &llama8b, {.kind = QZ_DEPLOY_FP8, .bits = 8}, {.engine = QZ_RUNTIME_VLLM, .cc = 89}, 0},
    {"PRE-NATIVE", false, &llama8b, {.kind = QZ_DEPLOY_NVFP4, .bits = 4}, {.engine = QZ_RUNTIME_VLLM, .cc = 90},
     QZ_FINDING_WARN},
    {"PRE-MEMORY", false, &llama8b, {.kind = QZ_DEPLOY_GGUF}, ON(TRANSFORMERS, 1), QZ_FINDING_WARN},
    {"PRE-MEMORY", true, &llama8b, AWQ128, ON(TRANSFORMERS, 1), 0},
    {"PRE-GROUP", false, &odd, {CT128}, ON(NONE, 1), QZ_FINDING_ERROR}, /* 2880 and 4544 are no multiples of 128 */
    {"PRE-GROUP", true, &llama8b, {CT128}, ON(NONE, 1), 0},
    /* C-52: 4544 columns with K types */
    {"PRE-BLOCK", false, &odd, {.kind = QZ_DEPLOY_GGUF}, ON(NONE, 1), QZ_FINDING_NOTE},
    {"PRE-BLOCK", true, &llama8b, {.kind = QZ_DEPLOY_GGUF}, ON(NONE, 1), 0},
    {"PRE-TP-ROW", false, &qwen72b, AWQ128, ON(VLLM, 2), QZ_FINDING_ERROR}, /* vllm-project/vllm#5675 */
    {"PRE-TP-ROW", true, &qwen72b, AWQ128, ON(VLLM, 1), 0},
    {"PRE-TP-ROW", true, &qwen72b, {.kind = QZ_DEPLOY_AWQ, .bits = 4, .group_size = 64, .zero_point = true},
     ON(VLLM, 2), 0},
    {"PRE-TP-ROW", false, &qwen72b, {.kind = QZ_DEPLOY_AWQ, .bits = 4, .group_size = 64, .zero_point = true},
     ON(VLLM, 4), QZ_FINDING_ERROR},
    /* channel scales replicate */
    {"PRE-TP-ROW", true, &qwen72b, {.kind = QZ_DEPLOY_GPTQ, .bits = 4, .group_size = -1, .sym = true}, ON(VLLM, 8), 0},
    {"PRE-TP-ROW", false, &llama8b, {.kind = QZ_DEPLOY_FLOAT, .bits = 16}, ON(VLLM, 3), QZ_FINDING_ERROR},
    {"PRE-TP-COL", false, &llama8b, {.kind = QZ_DEPLOY_FLOAT, .bits = 16}, ON(VLLM, 3), QZ_FINDING_ERROR},
    {"PRE-TP-COL", true, &llama8b, {.kind = QZ_DEPLOY_FLOAT, .bits = 16}, ON(VLLM, 8), 0},
    {"PRE-TP-HEAD", false, &qwen7b, AWQ128, ON(VLLM, 8), QZ_FINDING_ERROR}, /* 28 heads */
    {"PRE-TP-HEAD", true, &qwen7b, AWQ128, ON(VLLM, 4), 0},
    {"PRE-TP-WORD", false, &(dims){4096, 14344, 32, 8, 128, 1000, false, "float16"},
     {.kind = QZ_DEPLOY_AWQ, .bits = 4, .group_size = -1}, ON(VLLM, 4), QZ_FINDING_ERROR},
    {"PRE-TP-WORD", true, &llama8b, AWQ128, ON(VLLM, 4), 0},
    /* 18944/8 = 18.5 blocks */
    {"PRE-TP-FP8", false, &qwen7b, {.kind = QZ_DEPLOY_FP8_BLOCK, .bits = 8}, ON(VLLM, 8), QZ_FINDING_ERROR},
    {"PRE-TP-FP8", true, &llama8b, {.kind = QZ_DEPLOY_FP8_BLOCK, .bits = 8}, ON(VLLM, 8), 0},
    {"PRE-BITS", false, &llama8b, {.kind = QZ_DEPLOY_GPTQ, .bits = 3, .group_size = 128, .sym = true}, ON(VLLM, 1),
     QZ_FINDING_ERROR},
    {"PRE-BITS", true, &llama8b, {.kind = QZ_DEPLOY_GPTQ, .bits = 8, .group_size = 128, .sym = true}, ON(VLLM, 1), 0},
    /* R11: Humming */
    {"PRE-BITS", false, &llama8b, {.kind = QZ_DEPLOY_CT_INT, .bits = 3, .group_size = 128, .sym = true}, ON(VLLM, 1),
     QZ_FINDING_WARN},
    {"PRE-SYM", false, &llama8b, {.kind = QZ_DEPLOY_GPTQ, .bits = 4, .group_size = 128}, ON(VLLM, 1), QZ_FINDING_ERROR},
    {"PRE-SYM", true, &llama8b, {.kind = QZ_DEPLOY_GPTQ, .bits = 4, .group_size = 128}, ON(SGLANG, 1), 0},
    {"PRE-ACT", false, &llama8b, {GPTQ128, .act_order = true}, ON(VLLM, 1), QZ_FINDING_ERROR},
    /* -1: treated as false */
    {"PRE-ACT", true, &llama8b, {.kind = QZ_DEPLOY_GPTQ, .bits = 4, .group_size = -1, .sym = true, .act_order = true},
     ON(VLLM, 1), 0},
    {"PRE-ACT", false, &llama8b, {GPTQ128, .act_order = true}, ON(TGI, 2), QZ_FINDING_WARN},
    {"PRE-ACT", true, &llama8b, {GPTQ128, .act_order = true}, ON(TGI, 1), 0},
    {"PRE-GROUPS", false, &llama8b, {.kind = QZ_DEPLOY_AWQ, .bits = 4, .group_size = 16, .zero_point = true},
     ON(VLLM, 1), QZ_FINDING_ERROR},
    {"PRE-GROUPS", true, &llama8b, AWQ128, ON(VLLM, 1), 0},
    {"PRE-TILE", false, &qwen7b, {GPTQ128}, ON(SGLANG, 8), QZ_FINDING_ERROR},
    {"PRE-TILE", true, &llama8b, {GPTQ128}, ON(SGLANG, 2), 0},
    {"PRE-ZP8", false, &llama8b, {.kind = QZ_DEPLOY_CT_INT, .bits = 8, .group_size = 128},
     {.engine = QZ_RUNTIME_VLLM, .cc = 80}, QZ_FINDING_WARN},
    {"PRE-ZP8", true, &llama8b, {.kind = QZ_DEPLOY_CT_INT, .bits = 8, .group_size = 128},
     {.engine = QZ_RUNTIME_VLLM, .cc = 90}, 0},
    {"PRE-VERSION", false, &llama8b,
     {.kind = QZ_DEPLOY_AWQ, .bits = 4, .group_size = 128, .zero_point = true, .version = "GEMV"}, ON(VLLM, 1),
     QZ_FINDING_ERROR},
    {"PRE-VERSION", true, &llama8b,
     {.kind = QZ_DEPLOY_AWQ, .bits = 4, .group_size = 128, .zero_point = true, .version = "GEMM"}, ON(VLLM, 1), 0},
    {"PRE-ZERO", false, &llama8b, {.kind = QZ_DEPLOY_AWQ, .bits = 4, .group_size = 128, .sym = true}, ON(VLLM, 1),
     QZ_FINDING_ERROR},
    {"PRE-ZERO", true, &llama8b, AWQ128, ON(VLLM, 1), 0},
    {"PRE-V1", false, &llama8b, {.kind = QZ_DEPLOY_GPTQ, .bits = 4, .group_size = 128, .v1 = true}, ON(NONE, 1),
     QZ_FINDING_WARN},
    {"PRE-V1", true, &llama8b, {GPTQ128, .v1 = true}, ON(NONE, 1), 0},
    {"PRE-BF16", false, &odd, {.kind = QZ_DEPLOY_FLOAT, .bits = 16}, {.engine = QZ_RUNTIME_VLLM, .cc = 75},
     QZ_FINDING_ERROR},
    {"PRE-BF16", true, &odd, {.kind = QZ_DEPLOY_FLOAT, .bits = 16}, {.engine = QZ_RUNTIME_VLLM, .cc = 80}, 0},
    {"PRE-FP16", false, &odd, AWQ128, {.engine = QZ_RUNTIME_SGLANG, .cc = 75}, QZ_FINDING_NOTE},
    {"PRE-FP16", true, &llama8b, AWQ128, {.engine = QZ_RUNTIME_SGLANG, .cc = 75}, 0},
    {"PRE-FP16", true, &odd, AWQ128, {.engine = QZ_RUNTIME_SGLANG, .cc = 80}, 0}, /* awq_marlin: bfloat16 too */
    {"PRE-FP16", true, &odd, AWQ128, {.engine = QZ_RUNTIME_VLLM, .cc = 86}, 0},
    {"PRE-KV", false, &llama8b, AWQ128, {.engine = QZ_RUNTIME_VLLM, .kv = "q8_0"}, QZ_FINDING_ERROR},
    {"PRE-KV", true, &llama8b, AWQ128, {.engine = QZ_RUNTIME_VLLM, .kv = "fp8"}, 0},
    /* SGLang calls it fp8_e4m3, Ollama has no bf16 and takes f16 */
    {"PRE-KV", true, &llama8b, AWQ128, {.engine = QZ_RUNTIME_SGLANG, .kv = "fp8"}, 0},
    {"PRE-KV", true, &llama8b, AWQ128, {.engine = QZ_RUNTIME_SGLANG, .kv = "f16"}, 0},
    {"PRE-KV", false, &llama8b, AWQ128, {.engine = QZ_RUNTIME_SGLANG, .kv = "int8"}, QZ_FINDING_ERROR},
    /* head_dim 80 */
    {"PRE-KV-DIM", false, &odd, {.kind = QZ_DEPLOY_GGUF}, {.engine = QZ_RUNTIME_LLAMA_CPP, .kv = "q8_0"},
     QZ_FINDING_ERROR},
    {"PRE-KV-DIM", true, &llama8b, {.kind = QZ_DEPLOY_GGUF}, {.engine = QZ_RUNTIME_LLAMA_CPP, .kv = "q8_0"}, 0},
    {"PRE-SYM", false, &llama8b, {.kind = QZ_DEPLOY_CT_W8A8, .bits = 8}, ON(VLLM, 1), QZ_FINDING_ERROR},
    {"PRE-SYM", true, &llama8b, {.kind = QZ_DEPLOY_CT_W8A8, .bits = 8, .sym = true}, ON(VLLM, 1), 0},
    {"PRE-ACT", false, &llama8b, {CT128, .act_order = true}, ON(TRANSFORMERS, 1), QZ_FINDING_WARN},
    {"PRE-ACT", true, &llama8b, {CT128, .act_order = true}, ON(SGLANG, 1), 0}, /* R9: SGLang still reads g_idx */
    {"PRE-KEYS", false, &llama8b, {CT128, .stray_key = "note"}, ON(VLLM, 1), QZ_FINDING_ERROR},
    {"PRE-KEYS", true, &llama8b, {CT128}, ON(VLLM, 1), 0},
    {"PRE-STATUS", false, &llama8b, {CT128, .status = "calibration"}, ON(TGI, 1), QZ_FINDING_ERROR},
    {"PRE-STATUS", true, &llama8b, {CT128, .status = "compressed"}, ON(TGI, 1), 0},
    {"PRE-TRANSFORM", false, &llama8b, {CT128, .transforms = true}, ON(SGLANG, 1), QZ_FINDING_ERROR},
    {"PRE-TRANSFORM", true, &llama8b, {CT128, .transforms = true}, ON(VLLM, 1), 0},
    {"PRE-SPARSE", false, &llama8b, {CT128, .sparse = true}, ON(VLLM, 1), QZ_FINDING_ERROR},
    {"PRE-SPARSE", true, &llama8b, {CT128}, ON(VLLM, 1), 0},
    {"PRE-KV-SCHEME", false, &llama8b, {CT128, .kv_scheme = "unsupported"}, ON(VLLM, 1), QZ_FINDING_ERROR},
    {"PRE-KV-SCHEME", true, &llama8b, {CT128, .kv_scheme = "attn_head"}, ON(VLLM, 1), 0},
    {"PRE-KV-SCHEME", false, &llama8b, {CT128, .kv_scheme = "attn_head"}, ON(SGLANG, 1), QZ_FINDING_WARN},
    {"PRE-KV-SCHEME", true, &llama8b, {CT128, .kv_scheme = "tensor"}, ON(SGLANG, 1), 0},
    {"PRE-KV-FA", false, &llama8b, {.kind = QZ_DEPLOY_GGUF}, {.engine = QZ_RUNTIME_OLLAMA, .kv = "q8_0"},
     QZ_FINDING_NOTE},
    {"PRE-KV-FA", true, &llama8b, {.kind = QZ_DEPLOY_GGUF}, {.engine = QZ_RUNTIME_OLLAMA, .kv = "f16"}, 0},
    {"PRE-TIED", false, &odd, {.kind = QZ_DEPLOY_GPTQ, .bits = 4, .group_size = -1, .sym = true, .lm_head = true},
     ON(VLLM, 1), QZ_FINDING_ERROR},
    {"PRE-TIED", true, &llama8b, {.kind = QZ_DEPLOY_GPTQ, .bits = 4, .group_size = -1, .sym = true, .lm_head = true},
     ON(VLLM, 1), 0},
    {"PRE-HEAD", false, &llama8b, {CT128, .lm_head = true}, ON(SGLANG, 1), QZ_FINDING_WARN},
    {"PRE-HEAD", true, &llama8b, {CT128, .lm_head = true}, ON(VLLM, 1), 0},
    /* R27 */
    {"PRE-PIN", false, &llama8b, {.kind = QZ_DEPLOY_CT_INT, .bits = 6, .group_size = 128, .sym = true},
     ON(TRANSFORMERS, 1), QZ_FINDING_NOTE},
    {"PRE-PIN", true, &llama8b, {CT128}, ON(TRANSFORMERS, 1), 0},
    {"PRE-PIN", true, &llama8b, {.kind = QZ_DEPLOY_CT_INT, .bits = 2, .group_size = 128, .sym = true}, ON(NONE, 1), 0},
    {"PRE-PIN", false, &llama8b, {.kind = QZ_DEPLOY_CT_MXFP4, .bits = 4}, ON(NONE, 1), QZ_FINDING_NOTE},
    {"PRE-PIN", true, &llama8b, {.kind = QZ_DEPLOY_NVFP4, .bits = 4}, ON(VLLM, 1), 0},
    {"PRE-LORA", false, &llama8b, {.kind = QZ_DEPLOY_GGUF}, {.engine = QZ_RUNTIME_VLLM, .lora = true},
     QZ_FINDING_ERROR},
    /* K-30: LoRA on AWQ is served */
    {"PRE-INPUTS", false, &llama8b, INPUTS(128, "fp8"), CARD(VLLM, 80), QZ_FINDING_ERROR},
    {"PRE-INPUTS", false, &llama8b, INPUTS(128, "fp8"), CARD(VLLM, 89), QZ_FINDING_ERROR},
    {"PRE-INPUTS", false, &llama8b, INPUTS(128, "fp8"), CARD(VLLM, 100), QZ_FINDING_ERROR},
    {"PRE-INPUTS", true, &llama8b, INPUTS(128, "fp8"), CARD(VLLM, 90), 0},
    {"PRE-INPUTS", false, &llama8b, INPUTS(128, "fp8"), CARD(VLLM, 0), QZ_FINDING_WARN},
    {"PRE-INPUTS", false, &llama8b, INPUTS(64, "fp8"), CARD(VLLM, 90), QZ_FINDING_ERROR},
    {"PRE-INPUTS", false, &llama8b, INPUTS(128, "int8"), CARD(VLLM, 80), QZ_FINDING_WARN},
    {"PRE-INPUTS", false, &llama8b, INPUTS(128, "int8"), CARD(SGLANG, 90), QZ_FINDING_ERROR},
    {"PRE-INPUTS", false, &llama8b, INPUTS(128, "fp8"), CARD(SGLANG, 90), QZ_FINDING_ERROR},
    {"PRE-INPUTS", true, &llama8b, INPUTS(128, ""), CARD(SGLANG, 90), 0},
    {"PRE-INPUTS", false, &llama8b, INPUTS(128, "int8"), CARD(TGI, 90), QZ_FINDING_WARN},
    {"PRE-SCALE-NAME", false, &llama8b, {.kind = QZ_DEPLOY_FP8, .bits = 8, .plain_scales = true}, ON(TRANSFORMERS, 1),
     QZ_FINDING_WARN},
    {"PRE-SCALE-NAME", true, &llama8b, {.kind = QZ_DEPLOY_FP8, .bits = 8}, ON(TRANSFORMERS, 1), 0},
    {"PRE-LORA", true, &llama8b, AWQ128, {.engine = QZ_RUNTIME_VLLM, .lora = true}, 0},
};

static void each_rule_fires_and_rests(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        qz_arena a = {0};
        qz_error err = {0};
        qz_findings f = {.arena = &a};
        qz_deploy_shape s = shape_of(rows[i].d, &a);
        assert_int_equal(qz_preflight(&s, &rows[i].spec, &rows[i].t, &f, &err), QZ_OK);
        bool level = false;
        for (size_t k = 0; k < f.n; k++) {
            assert_true(f.rows[k].problem[0] && f.rows[k].source[0] && f.rows[k].fix);
            level |= strcmp(f.rows[k].code, rows[i].code) == 0 && f.rows[k].level == rows[i].level;
        }
        if (qz_findings_has(&f, rows[i].code) == rows[i].not || (!rows[i].not && !level))
            fail_msg("row %zu: %s %s", i, rows[i].code, rows[i].not ? "fired" : "is missing");
        qz_arena_release(&a);
    }
}

/* U-27: q_proj and k_proj of different schemes. */
static void fused_sets(void **state) {
    (void)state;
    qz_arena a = {0};
    qz_error err = {0};
    qz_findings f = {.arena = &a};
    qz_deploy_shape s = shape_of(&llama8b, &a);
    qz_deploy_spec spec = {CT128};
    qz_target t = ON(VLLM, 1);
    assert_int_equal(qz_preflight(&s, &spec, &t, &f, &err), QZ_OK);
    assert_false(qz_findings_has(&f, "PRE-FUSED"));
    s.linears[QZ_ATTN_K].odd = "model.layers.2.self_attn.k_proj.weight";
    s.linears[QZ_ATTN_K].scheme = "bf16";
    assert_int_equal(qz_preflight(&s, &spec, &t, &f, &err), QZ_OK);
    assert_true(qz_findings_has(&f, "PRE-FUSED"));
    assert_string_equal(f.rows[0].subject, "model.layers.2.self_attn.k_proj.weight");
    assert_non_null(strstr(f.rows[0].problem, "'qkv'"));
    qz_arena_release(&a);
}

/* R2, R3: a file made here, one scalar a part, read as `check` reads it. */
typedef struct { const char *name; qz_st_dtype dtype; uint64_t n; float value; } stored;
static void add_scales(const stored *v, size_t n, qz_arena *a, qz_deploy_shape *s) {
    qz_st_item items[8];
    qz_str file = {0};
    uint64_t bytes;
    qz_error err = {0};
    qz_st st = {0};
    assert_true(n <= 8);
    for (size_t i = 0; i < n; i++)
        items[i] = (qz_st_item){.name = v[i].name, .dtype = v[i].dtype, .n_dims = v[i].n ? 1 : 0, .dims = {v[i].n}};
    assert_int_equal(qz_st_header(items, n, NULL, 0, &file, &bytes, &err), QZ_OK);
    for (size_t i = 0; i < n; i++)
        for (uint64_t k = 0; k < (v[i].n ? v[i].n : 1); k++) {
            uint32_t u;
            memcpy(&u, &v[i].value, 4);
            uint16_t h = (uint16_t)(u >> 16);
            if (v[i].dtype == QZ_ST_F32) qz_str_append(&file, (const char *)&v[i].value, 4);
            else qz_str_append(&file, (const char *)&h, 2);
        }
    assert_int_equal(qz_st_open_memory(&st, file.ptr, file.len, "made here", &err), QZ_OK);
    qz_st_dir d = {.files = &st, .n_files = 1};
    assert_int_equal(qz_deploy_shape_scales(&d, a, s, &err), QZ_OK);
    qz_st_release(&st);
    qz_str_release(&file);
}

#define LAYER "model.layers.0."
static void fused_scales(void **state) {
    (void)state;
    static const struct { qz_deploy kind; qz_runtime engine; qz_finding_level level; bool fires; stored v[3]; } t[] = {
#define Q LAYER "self_attn.q_proj."
#define KK LAYER "self_attn.k_proj."
        /* R2: the divisor of compressed-tensors, ModelOpt's multiplier, activations; with and without an
         * engine named */
        {QZ_DEPLOY_NVFP4, QZ_RUNTIME_VLLM, QZ_FINDING_ERROR, true,
         {{Q "weight_global_scale", QZ_ST_F32, 1, 1304}, {KK "weight_global_scale", QZ_ST_F32, 1, 1200}}},
        {QZ_DEPLOY_NVFP4, QZ_RUNTIME_VLLM, QZ_FINDING_ERROR, false,
         {{Q "weight_global_scale", QZ_ST_F32, 1, 1304}, {KK "weight_global_scale", QZ_ST_F32, 1, 1304}}},
        {QZ_DEPLOY_NVFP4, QZ_RUNTIME_NONE, QZ_FINDING_ERROR, true,
         {{Q "input_global_scale", QZ_ST_F32, 1, 10}, {LAYER "self_attn.v_proj.input_global_scale", QZ_ST_F32, 1, 11}}},
        {QZ_DEPLOY_MODELOPT_FP4, QZ_RUNTIME_SGLANG, QZ_FINDING_ERROR, true,
         {{LAYER "mlp.gate_proj.weight_scale_2", QZ_ST_F32, 0, 0.5F},
          {LAYER "mlp.up_proj.weight_scale_2", QZ_ST_F32, 0, 0.25F}}},
        {QZ_DEPLOY_NVFP4, QZ_RUNTIME_VLLM, QZ_FINDING_ERROR, true,
         {{LAYER "mlp.experts.7.w1.weight_global_scale", QZ_ST_F32, 1, 2},
          {LAYER "mlp.experts.7.w3.weight_global_scale", QZ_ST_F32, 1, 3}}},
        {QZ_DEPLOY_NVFP4, QZ_RUNTIME_VLLM, QZ_FINDING_ERROR, true,
         {{LAYER "self_attn.q_a_proj.weight_global_scale", QZ_ST_F32, 1, 2},
          {LAYER "self_attn.kv_a_proj_with_mqa.weight_global_scale", QZ_ST_F32, 1, 3}}},
        /* experts may differ from each other, and so may layers that nothing fuses, other layers, and names
         * without a sibling */
        {QZ_DEPLOY_NVFP4, QZ_RUNTIME_VLLM, QZ_FINDING_ERROR, false,
         {{LAYER "mlp.experts.7.w1.weight_global_scale", QZ_ST_F32, 1, 2},
          {LAYER "mlp.experts.8.w3.weight_global_scale", QZ_ST_F32, 1, 3}}},
        {QZ_DEPLOY_NVFP4, QZ_RUNTIME_VLLM, QZ_FINDING_ERROR, false,
         {{Q "weight_global_scale", QZ_ST_F32, 1, 2}, {LAYER "self_attn.o_proj.weight_global_scale", QZ_ST_F32, 1, 3},
          {"q_proj", QZ_ST_F32, 1, 3}}},
        /* fuses nothing */
        {QZ_DEPLOY_NVFP4, QZ_RUNTIME_TRANSFORMERS, QZ_FINDING_ERROR, false,
         {{Q "weight_global_scale", QZ_ST_F32, 1, 1304}, {KK "weight_global_scale", QZ_ST_F32, 1, 1200}}},
        /* R3: one scale a tensor; by channel they concatenate */
        {QZ_DEPLOY_FP8, QZ_RUNTIME_VLLM, QZ_FINDING_WARN, true,
         {{Q "weight_scale", QZ_ST_F32, 1, 0.5F}, {KK "weight_scale", QZ_ST_F32, 1, 0.25F}}},
        {QZ_DEPLOY_MODELOPT_FP8, QZ_RUNTIME_SGLANG, QZ_FINDING_WARN, true,
         {{Q "weight_scale", QZ_ST_BF16, 0, 0.5F}, {KK "weight_scale", QZ_ST_BF16, 0, 0.25F}}},
        {QZ_DEPLOY_FP8, QZ_RUNTIME_VLLM, QZ_FINDING_WARN, false,
         {{Q "weight_scale", QZ_ST_BF16, 1, 0.5F}, {KK "weight_scale", QZ_ST_BF16, 1, 0.5F}}},
        {QZ_DEPLOY_FP8, QZ_RUNTIME_VLLM, QZ_FINDING_WARN, false,
         {{Q "weight_scale", QZ_ST_F32, 4, 0.5F}, {KK "weight_scale", QZ_ST_F32, 4, 0.25F}}},
        /* the engine takes the largest */
        {QZ_DEPLOY_FP8, QZ_RUNTIME_VLLM, QZ_FINDING_WARN, false,
         {{Q "input_scale", QZ_ST_F32, 1, 0.5F}, {KK "input_scale", QZ_ST_F32, 1, 0.25F}}},
        {QZ_DEPLOY_FP8, QZ_RUNTIME_NONE, QZ_FINDING_WARN, false,
         {{Q "weight_scale", QZ_ST_F32, 1, 0.5F}, {KK "weight_scale", QZ_ST_F32, 1, 0.25F}}},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        qz_arena a = {0};
        qz_error err = {0};
        qz_findings f = {.arena = &a};
        qz_deploy_shape s = shape_of(&llama8b, &a);
        const qz_deploy_spec spec = {.kind = t[i].kind, .bits = qz_deploy_get(t[i].kind)->bits, .sym = true};
        const qz_target target = {.engine = t[i].engine, .tp = 1};
        size_t n = t[i].v[2].name ? 3 : 2, hit = 0;
        add_scales(t[i].v, n, &a, &s);
        assert_int_equal(qz_preflight(&s, &spec, &target, &f, &err), QZ_OK);
        for (size_t k = 0; k < f.n; k++) {
            if (strcmp(f.rows[k].code, "PRE-FUSED-SCALE") != 0) continue;
            hit++;
            assert_int_equal(f.rows[k].level, t[i].level);
            assert_string_equal(f.rows[k].subject, t[i].v[1].name);
            assert_non_null(strstr(f.rows[k].problem, t[i].v[0].name));
        }
        if (hit != t[i].fires) fail_msg("row %zu: %zu findings", i, hit);
        qz_arena_release(&a);
    }
    /* many layers: one finding a set, with their number */
    static const stored many[] = {{Q "weight_global_scale", QZ_ST_F32, 1, 2},
                                  {KK "weight_global_scale", QZ_ST_F32, 1, 3},
                                  {LAYER "self_attn.v_proj.weight_global_scale", QZ_ST_F32, 1, 4},
                                  {"model.layers.1.self_attn.q_proj.weight_global_scale", QZ_ST_F32, 1, 2},
                                  {"model.layers.1.self_attn.v_proj.weight_global_scale", QZ_ST_F32, 1, 4},
                                  {LAYER "mlp.gate_proj.weight_global_scale", QZ_ST_F32, 1, 2},
                                  {LAYER "mlp.up_proj.weight_global_scale", QZ_ST_F32, 1, 1}};
    qz_arena a = {0};
    qz_deploy_shape s = shape_of(&llama8b, &a);
    add_scales(many, sizeof many / sizeof many[0], &a, &s);
    assert_int_equal(s.n_unequal, 2);
    assert_string_equal(s.unequal[0].fused, "qkv");
    assert_int_equal(s.unequal[0].n, 3);
    assert_true(s.unequal[0].value == 3 && s.unequal[0].first_value == 2);
    qz_arena_release(&a);
#undef Q
#undef KK
}

/* U-05: Qwen2.5-72B, feed-forward 29568: group 128 works for 1 GPU only, 64 up to 2, 32 up to 4, 16 up to 8. */
static void tensor_parallel_degrees(void **state) {
    (void)state;
    qz_arena a = {0};
    qz_deploy_shape s = shape_of(&qwen72b, &a), q7 = shape_of(&qwen7b, &a);
    qz_deploy_spec spec = AWQ128;
    assert_int_equal(qz_preflight_max_tp(&s, &spec, 128), 1);
    assert_int_equal(qz_preflight_max_tp(&s, &spec, 64), 2);
    assert_int_equal(qz_preflight_max_tp(&s, &spec, 32), 4);
    assert_int_equal(qz_preflight_max_tp(&s, &spec, 16), 8);
    assert_int_equal(qz_preflight_max_tp(&s, &spec, -1), 8);
    assert_int_equal(qz_preflight_max_tp(&q7, &spec, 128), 4); /* heads stop it at 8 */
    qz_arena_release(&a);
}

static void nearest_settings(void **state) {
    (void)state;
    static const struct { const dims *d; qz_deploy_spec spec; qz_target t; const char *near; } v[] = {
        {&qwen72b, AWQ128, ON(VLLM, 1), "nothing to change"},
        {&qwen72b, AWQ128, ON(VLLM, 2), "group_size 64"},
        {&qwen72b, AWQ128, ON(VLLM, 4), "group_size 32"},
        {&qwen72b, AWQ128, ON(VLLM, 8), "group_size 32, tensor parallel 4"},
        {&qwen72b, {GPTQ128}, ON(VLLM, 8), "group_size -1"},
        {&llama8b, {.kind = QZ_DEPLOY_GPTQ, .bits = 4, .group_size = 128, .act_order = true}, ON(VLLM, 1),
         "symmetric, no act_order"},
        {&llama8b, {.kind = QZ_DEPLOY_GPTQ, .bits = 3, .group_size = 128, .sym = true}, ON(VLLM, 1), "4 bits"},
        {&qwen7b, AWQ128, ON(VLLM, 8), "tensor parallel 4"},
        {&llama8b, {.kind = QZ_DEPLOY_GGUF}, ON(VLLM, 1), "another format: gptq"},
        {&llama8b, {.kind = QZ_DEPLOY_MODELOPT_MXFP4, .bits = 4}, ON(VLLM, 1),
         "the same codes in another layout: quantz convert --to ct:mxfp4"},
        {&llama8b, {.kind = QZ_DEPLOY_NVFP4, .bits = 4}, ON(TENSORRT_LLM, 1),
         "the same codes in another layout: quantz convert --to modelopt:nvfp4"},
        {&llama8b, {.kind = QZ_DEPLOY_BNB, .bits = 4}, ON(VLLM, 1), "another format: gptq"},
        {&llama8b, {.kind = QZ_DEPLOY_AWQ, .bits = 4, .group_size = 16, .zero_point = true}, ON(VLLM, 1),
         "group_size 128"},
    };
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        qz_arena a = {0};
        qz_deploy_shape s = shape_of(v[i].d, &a);
        char buf[128];
        assert_string_equal(qz_preflight_nearest(&s, &v[i].spec, &v[i].t, buf), v[i].near);
        qz_arena_release(&a);
    }
}

/* U-37: 12 combinations of symmetry, act-order and group for vLLM 0.33: symmetric and no grouped
 * act-order, or refused. */
static void gptq_linter(void **state) {
    (void)state;
    for (int i = 0; i < 12; i++) {
        const long groups[] = {32, 128, -1};
        qz_arena a = {0};
        qz_deploy_shape s = shape_of(&llama8b, &a);
        qz_deploy_spec spec = {.kind = QZ_DEPLOY_GPTQ, .bits = 4, .sym = i & 1, .act_order = i & 2,
                               .group_size = groups[i / 4]};
        qz_target t = ON(VLLM, 1);
        qz_findings f = {.arena = &a};
        qz_error err = {0};
        assert_int_equal(qz_preflight(&s, &spec, &t, &f, &err), QZ_OK);
        bool works = spec.sym && !(spec.act_order && spec.group_size > 0);
        assert_int_equal(f.count[QZ_FINDING_ERROR] == 0, works);
        qz_arena_release(&a);
    }
}

static void specs_of_configs(void **state) {
    (void)state;
    static const struct { const char *json; qz_deploy kind; unsigned bits; long group; bool sym, act; } v[] = {
        {"{}", QZ_DEPLOY_FLOAT, 16, 0, true, false},
        {"{\"quantization_config\":{\"quant_method\":\"awq\",\"zero_point\":true,\"group_size\":64,\"bits\":4,"
         "\"version\":\"gemm\"}}", QZ_DEPLOY_AWQ, 4, 64, false, false},
        {"{\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":8,\"group_size\":-1,\"desc_act\":true,"
         "\"sym\":true}}", QZ_DEPLOY_GPTQ, 8, -1, true, true},
        {"{\"quantization_config\":{\"load_in_4bit\":true}}", QZ_DEPLOY_BNB, 4, 0, true, false},
        {"{\"quantization_config\":{\"quant_method\":\"bitsandbytes\"}}", QZ_DEPLOY_BNB, 4, 0, true, false},
        {"{\"quantization_config\":{\"quant_method\":\"bitsandbytes\",\"load_in_4bit\":false,\"load_in_8bit\":false}}",
         QZ_DEPLOY_FLOAT, 16, 0, true, false},
        {"{\"quantization_config\":{}}", QZ_DEPLOY_FLOAT, 16, 0, true, false},
        {"{\"quantization_config\":{},\"text_config\":{\"quantization_config\":{\"quant_method\":\"fp8\"}}}",
         QZ_DEPLOY_FP8, 8, 0, true, false},
        {"{\"quantization_config\":{\"quant_method\":\"mxfp4\"}}", QZ_DEPLOY_MXFP4, 4, 0, true, false},
        {"{\"quantization_config\":{\"quant_method\":\"fp8\",\"weight_block_size\":[128,128]}}", QZ_DEPLOY_FP8_BLOCK, 8,
         0, true, false},
        {"{\"quantization_config\":{\"quant_method\":\"compressed-tensors\",\"format\":\"pack-quantized\","
         "\"config_groups\":{\"group_0\":{\"weights\":{\"num_bits\":4,"
         "\"type\":\"int\",\"symmetric\":false,\"strategy\":\"group\",\"group_size\":128}}}}}", QZ_DEPLOY_CT_INT, 4,
         128, false, false},
        {"{\"quantization_config\":{\"quant_method\":\"compressed-tensors\",\"format\":\"int-quantized\","
         "\"config_groups\":{\"g\":{\"weights\":{\"num_bits\":8,\"type\":\"int\"},"
         "\"input_activations\":{\"num_bits\":8}}}}}", QZ_DEPLOY_CT_W8A8, 8, 0, true, false},
        {"{\"quantization_config\":{\"quant_method\":\"modelopt\",\"quant_algo\":\"NVFP4\"}}", QZ_DEPLOY_MODELOPT_FP4,
         4, 0, true, false},
        {"{\"quantization_config\":{\"quant_method\":\"modelopt\",\"quant_algo\":\"mxfp4\"}}", QZ_DEPLOY_MODELOPT_MXFP4,
         4, 0, true, false},
        {"{\"quantization_config\":{\"quant_algo\":\"MIXED_PRECISION\"}}", QZ_DEPLOY_MODELOPT_MIXED, 0, 0, true, false},
        {"{\"quantization_config\":{\"quant_method\":\"quip\"}}", QZ_DEPLOY_UNKNOWN, 0, 0, true, false},
        {"{\"text_config\":{\"quantization_config\":{\"quant_method\":\"fp8\"}}}", QZ_DEPLOY_FP8, 8, 0, true, false},
    };
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        json_t *root = NULL;
        qz_error err = {0};
        qz_deploy_spec s;
        assert_int_equal(qz_json_parse(v[i].json, strlen(v[i].json), "x", &root, &err), QZ_OK);
        assert_int_equal(qz_deploy_spec_json(root, "x", &s, &err), QZ_OK);
        assert_int_equal(s.kind, v[i].kind);
        assert_int_equal(s.bits, v[i].bits);
        assert_int_equal(s.group_size, v[i].group);
        assert_int_equal(s.sym, v[i].sym);
        assert_int_equal(s.act_order, v[i].act);
        json_decref(root);
    }
    static const char *const bad[] = {"{\"quantization_config\":7}",
                                      "{\"quantization_config\":{\"quant_method\":\"gptq\"}}",
                                      "{\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":\"four\"}}",
                                      "{\"quantization_config\":{\"quant_method\":\"fp8\",\"weight_block_size\":[0]}}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_t *root = NULL;
        qz_error err = {0};
        qz_deploy_spec s;
        assert_int_equal(qz_json_parse(bad[i], strlen(bad[i]), "x", &root, &err), QZ_OK);
        assert_int_equal(qz_deploy_spec_json(root, "x", &s, &err), QZ_EFORMAT);
        assert_non_null(strstr(err.text, "file 'x'"));
        json_decref(root);
    }
}

static void experts(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) { /* dense; 8 experts of hidden 4096; of hidden 2880 (gpt-oss) */
        qz_arena a = {0};
        qz_error err = {0};
        qz_findings f = {.arena = &a};
        qz_deploy_shape s = shape_of(&llama8b, &a);
        qz_deploy_spec spec = {CT128};
        qz_target t = ON(VLLM, 1);
        s.experts = i ? 8 : 0;
        s.hidden = i == 2 ? 2880 : 4096;
        assert_int_equal(qz_preflight(&s, &spec, &t, &f, &err), QZ_OK);
        assert_int_equal(qz_findings_has(&f, "PRE-EXPERTS"), i > 0);
        assert_int_equal(qz_findings_has(&f, "PRE-MOE"), i == 2);
        qz_arena_release(&a);
    }
}

/* What a compressed-tensors config says besides bits and groups (formats/hf-compressed-tensors.md sections 1 and 2). */
static void ct_details(void **state) {
    (void)state;
    static const char text[] = "{\"quantization_config\":{\"quant_method\":\"compressed-tensors\",\"format\":\"pack-"
                               "quantized\",\"quantization_status\":\"calibration\","
                               "\"kv_cache_scheme\":{\"num_bits\":8,\"type\":\"float\",\"strategy\":\"attn_head\"},"
                               "\"transform_config\":{\"R1\":{}},\"config_groups\":{\"group_0\":"
                               "{\"targets\":[\"Linear\"],\"weights\":{\"num_bits\":4,\"type\":\"int\",\"symmetric\":"
                               "true,\"group_size\":128,\"actorder\":true,\"my_note\":1}}}}}";
    json_t *root = NULL;
    qz_error err = {0};
    qz_deploy_spec s;
    assert_int_equal(qz_json_parse(text, strlen(text), "x", &root, &err), QZ_OK);
    assert_int_equal(qz_deploy_spec_json(root, "x", &s, &err), QZ_OK);
    assert_true(s.act_order && s.transforms && !s.sparse);
    assert_string_equal(s.status, "calibration");
    assert_string_equal(s.stray_key, "my_note");
    assert_string_equal(s.kv_scheme, "attn_head");
    json_decref(root);
    static const char *const hostile[] = {"{\"quantization_config\":{\"quant_method\":\"compressed-tensors\","
                                          "\"config_groups\":[1,2],\"kv_cache_scheme\":7}}",
                                          "{\"quantization_config\":{\"quant_method\":\"compressed-tensors\","
                                          "\"config_groups\":{\"a\":null,\"b\":[],\"c\":{\"weights\":\"x\"}}}}",
                                          "{\"quantization_config\":{\"quant_method\":\"compressed-tensors\","
                                          "\"config_groups\":{\"a\":{\"weights\":{\"num_bits\":-7,"
                                          "\"group_size\":-9}}}}}"};
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        qz_arena a = {0};
        qz_findings f = {.arena = &a};
        qz_deploy_shape shape = shape_of(&llama8b, &a);
        qz_target t = ON(VLLM, 2);
        char near[128];
        root = NULL;
        assert_int_equal(qz_json_parse(hostile[i], strlen(hostile[i]), "x", &root, &err), QZ_OK);
        qz_status st = qz_deploy_spec_json(root, "x", &s, &err);
        if (st == QZ_OK) {
            assert_int_equal(qz_preflight(&shape, &s, &t, &f, &err), QZ_OK);
            assert_true(qz_preflight_nearest(&shape, &s, &t, near)[0]);
        }
        json_decref(root);
        qz_arena_release(&a);
    }
}

static void specs_of_schemes(void **state) {
    (void)state;
    qz_scheme_spec s;
    qz_deploy_spec d;
    qz_error err = {0};
    assert_int_equal(qz_scheme_parse("awq:w4g64", &s, &err), QZ_OK);
    qz_deploy_spec_scheme(&s, &d);
    assert_int_equal(d.kind, QZ_DEPLOY_AWQ);
    assert_int_equal(d.group_size, 64);
    assert_false(d.sym);
    assert_int_equal(qz_scheme_parse("ct:w4afp8", &s, &err), QZ_OK);
    qz_deploy_spec_scheme(&s, &d);
    assert_string_equal(d.inputs, "fp8");
    assert_int_equal(qz_scheme_parse("Q4_K_M", &s, &err), QZ_OK);
    qz_deploy_spec_scheme(&s, &d);
    assert_int_equal(d.kind, QZ_DEPLOY_GGUF);
    assert_int_equal(d.group_size, 0);
}

/* C-145: every engine and cell has version, date and source; no cell twice; unknown is the absence of a row. */
static void tables(void **state) {
    (void)state;
    for (int e = 0; e < QZ_RUNTIME_COUNT; e++) {
        const qz_runtime_info *i = qz_runtime_get((qz_runtime)e);
        assert_true(strlen(i->date) == 10 && i->version[0] && i->source[0]);
    }
    assert_null(qz_loads_get(QZ_DEPLOY_MLX, QZ_RUNTIME_SGLANG));
    assert_null(qz_loads_get(QZ_DEPLOY_UNKNOWN, QZ_RUNTIME_VLLM));
    assert_int_equal(qz_loads_get(QZ_DEPLOY_AWQ, QZ_RUNTIME_VLLM)->cc, 75);
    qz_runtime e;
    qz_error err = {0};
    assert_int_equal(qz_runtime_find("VLLM", &e, &err), QZ_OK);
    assert_int_equal(qz_runtime_find("vlm", &e, &err), QZ_EUSAGE);
    assert_non_null(strstr(err.text, "nearest known is 'vllm'"));
    unsigned cc;
    qz_error bad = {0};
    assert_int_equal(qz_capability_parse("8.6", &cc, &bad), QZ_OK);
    assert_int_equal(cc, 86);
    assert_int_equal(qz_capability_parse("sm_86", &cc, &bad), QZ_EUSAGE);
    assert_int_equal(qz_capability_parse("86", &cc, &(qz_error){0}), QZ_EUSAGE);
    assert_true(qz_rules_count() > 25);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_rule_fires_and_rests), cmocka_unit_test(fused_sets),
                                       cmocka_unit_test(fused_scales), cmocka_unit_test(tensor_parallel_degrees),
                                       cmocka_unit_test(nearest_settings), cmocka_unit_test(gptq_linter),
                                       cmocka_unit_test(specs_of_configs), cmocka_unit_test(ct_details),
                                       cmocka_unit_test(experts), cmocka_unit_test(specs_of_schemes),
                                       cmocka_unit_test(tables)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
