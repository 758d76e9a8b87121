/* gen_model OUT [--shape tinyllama|4b|8b|small|case] [--seed N] [--layers N] …: writes a random Llama checkpoint,
 * with --experts a Mixtral one, with --qwen besides a Qwen3-MoE one (config.json, model.safetensors in F16, byte-level
 * tokenizer.json) for speed and memory runs; gaussian weights, norms one. The same options give the same bytes on any
 * thread count: every block of 65,536 weights has its own seed. Nothing is learnt: perplexity is that of chance.
 * Shapes: baselines.md section 4 (TinyLlama 1.1 B). */
#include "base/half.h"
#include "base/io.h"
#include "base/rng.h"
#include "base/size.h"
#include "base/str.h"
#include "base/threads.h"
#include "formats/dtypes.h"
#include "formats/safetensors.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 65536, BLOCKS = 64, SPECIALS = 2, BYTES = 256, LETTERS = 26 };

typedef struct {
    const char *name;
    uint64_t hidden, ffn, layers, heads, kv_heads, vocab, context, head_dim; /* head_dim 0: hidden / heads */
    uint64_t experts, used;                                                 /* experts 0: a dense layer */
} shape;
static const shape shapes[] = {
    {"tinyllama", 2048, 5632, 22, 32, 4, 32000, 2048, 0, 0, 0},
    {"4b", 2560, 9728, 36, 32, 8, 151936, 4096, 128, 0, 0}, /* widths of Qwen3-4B and 8B */
    {"8b", 4096, 12288, 36, 32, 8, 151936, 4096, 128, 0, 0},
    {"small", 512, 1536, 4, 8, 2, 4096, 2048, 0, 0, 0},
    {"case", 256, 256, 1, 4, 1, 288, 128, 32, 0, 0}, /* the model of tests/golden/cases 03 to 05 */
};

typedef struct {
    shape s;
    uint64_t seed, threads;
    double sigma;
    bool tied, qwen;
    const char *out;
} options;

/* ---- weights ---- */

typedef struct {
    uint16_t *buf;     /* [n] */
    size_t n;
    uint64_t seed, tensor, first; /* index of the first block */
    float sigma;
} fill_job;

static void fill(void *arg, qz_part part) {
    const fill_job *j = arg;
    size_t lo, hi;
    qz_split(j->n, BLOCK, part, &lo, &hi);
    for (size_t at = lo; at < hi; at += BLOCK) {
        qz_rng r;
        qz_rng_seed(&r, j->seed * 0x9e3779b97f4a7c15u + (j->tensor << 32) + j->first + at / BLOCK);
        size_t end = qz_min_size(at + BLOCK, hi);
        for (size_t k = at; k < end; k++) j->buf[k] = qz_f32_to_f16(qz_rng_normal(&r) * j->sigma);
    }
}

static qz_status write_tensor(qz_st_writer *w, const qz_st_item *item, const options *o, qz_pool *pool, uint16_t *buf,
                              qz_error *err) {
    uint64_t bytes;
    QZ_TRY(qz_st_item_bytes(item, &bytes, err));
    size_t left = (size_t)bytes / 2;
    uint64_t tensor = w->next;
    for (uint64_t first = 0; left > 0; first += BLOCKS) {
        size_t n = qz_min_size(left, (size_t)BLOCK * BLOCKS);
        if (item->n_dims == 1) {
            for (size_t k = 0; k < n; k++) buf[k] = 0x3c00; /* one */
        } else {
            fill_job j = {buf, n, o->seed, tensor, first, (float)o->sigma};
            qz_pool_run(pool, 0, fill, &j);
        }
        QZ_TRY(qz_st_writer_write(w, buf, 2 * n, err));
        left -= n;
    }
    return QZ_OK;
}

static void add(qz_st_item *items, size_t *n, const char *name, uint64_t rows, uint64_t cols) {
    items[*n] = (qz_st_item){.name = name, .dtype = QZ_ST_F16, .n_dims = rows ? 2 : 1,
                             .dims = {rows ? rows : cols, rows ? cols : 0}};
    if (name) ++*n;
}

typedef struct { const char *name; uint64_t rows, cols; } part; /* rows 0: a vector */

static uint64_t tensors_per_layer(const options *o) {
    return o->s.experts ? 7 + 3 * o->s.experts + (o->qwen ? 2 : 0) : 9;
}

static size_t plan(const options *o, qz_arena *a, qz_st_item *items) {
    const shape *s = &o->s;
    uint64_t d = s->head_dim ? s->head_dim : s->hidden / s->heads, q = d * s->heads, kv = d * s->kv_heads;
    const part mixer[] = {
        {"input_layernorm", 0, s->hidden}, {"self_attn.q_proj", q, s->hidden}, {"self_attn.k_proj", kv, s->hidden},
        {"self_attn.v_proj", kv, s->hidden}, {"self_attn.o_proj", s->hidden, q},
        {"post_attention_layernorm", 0, s->hidden}};
    const part dense[] = {{"mlp.gate_proj", s->ffn, s->hidden}, {"mlp.up_proj", s->ffn, s->hidden},
                          {"mlp.down_proj", s->hidden, s->ffn}};
    const part norms[] = {{"self_attn.q_norm", 0, d}, {"self_attn.k_norm", 0, d}};
    const char *moe = o->qwen ? "mlp" : "block_sparse_moe";
    const part expert[] = {{o->qwen ? "gate_proj" : "w1", s->ffn, s->hidden},
                           {o->qwen ? "down_proj" : "w2", s->hidden, s->ffn},
                           {o->qwen ? "up_proj" : "w3", s->ffn, s->hidden}};
    size_t n = 0;
    add(items, &n, "model.embed_tokens.weight", s->vocab, s->hidden);
    for (uint64_t l = 0; l < s->layers; l++) {
        const unsigned long long layer = l;
        for (size_t p = 0; p < sizeof mixer / sizeof *mixer; p++)
            add(items, &n, qz_arena_printf(a, "model.layers.%llu.%s.weight", layer, mixer[p].name), mixer[p].rows,
                mixer[p].cols);
        for (size_t p = 0; p < 3 && s->experts == 0; p++)
            add(items, &n, qz_arena_printf(a, "model.layers.%llu.%s.weight", layer, dense[p].name), dense[p].rows,
                dense[p].cols);
        for (size_t p = 0; p < 2 && o->qwen; p++)
            add(items, &n, qz_arena_printf(a, "model.layers.%llu.%s.weight", layer, norms[p].name), 0, norms[p].cols);
        if (s->experts)
            add(items, &n, qz_arena_printf(a, "model.layers.%llu.%s.gate.weight", layer, moe), s->experts, s->hidden);
        for (uint64_t x = 0; x < s->experts; x++)
            for (size_t p = 0; p < 3; p++)
                add(items, &n,
                    qz_arena_printf(a, "model.layers.%llu.%s.experts.%llu.%s.weight", layer, moe,
                                    (unsigned long long)x, expert[p].name),
                    expert[p].rows, expert[p].cols);
    }
    add(items, &n, "model.norm.weight", 0, s->hidden);
    if (!o->tied) add(items, &n, "lm_head.weight", s->vocab, s->hidden);
    return n;
}

static qz_status write_weights(const options *o, qz_error *err) {
    qz_arena arena = {0};
    qz_pool *pool = NULL;
    qz_st_writer w = {.out = {.fd = -1}};
    const qz_st_meta meta = {"format", "pt"};
    qz_status st = QZ_OK;
    char *path = qz_path_join(o->out, "model.safetensors");
    uint16_t *buf = qz_alloc_array((size_t)BLOCK * BLOCKS, sizeof *buf);
    size_t want = (size_t)(o->s.layers * tensors_per_layer(o)) + 3;
    qz_st_item *items = qz_arena_calloc(&arena, want, sizeof *items);
    if (!path || !buf || !items) {
        st = qz_fail(err, QZ_EMEMORY, "out of memory");
        goto out;
    }
    size_t n = plan(o, &arena, items);
    if (n + o->tied != want) {
        st = qz_fail(err, QZ_EMEMORY, "out of memory");
        goto out;
    }
    QZ_GOTO(qz_pool_open(&pool, (size_t)o->threads, err));
    QZ_GOTO(qz_st_writer_open(&w, path, &(qz_st_plan){items, n, &meta, 1}, err));
    for (size_t i = 0; i < n; i++) QZ_GOTO(write_tensor(&w, &items[i], o, pool, buf, err));
    st = qz_st_writer_commit(&w, NULL, err);
out:
    if (st != QZ_OK) qz_st_writer_abort(&w, false);
    qz_pool_free(pool);
    qz_arena_release(&arena);
    qz_free(buf);
    qz_free(path);
    return st;
}

/* ---- config and tokenizer ---- */

static qz_status write_text(const options *o, const char *name, qz_str *s, qz_error *err) {
    char *path = qz_path_join(o->out, name);
    qz_status st = path && !s->failed ? qz_write_file(path, s->ptr, s->len, err)
                                      : qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_free(path);
    qz_str_release(s);
    return st;
}

static qz_status write_config(const options *o, qz_error *err) {
    const shape *s = &o->s;
    qz_str t = {0};
    qz_str_printf(&t,
                  "{\n  \"architectures\": [\"%sForCausalLM\"],\n  \"model_type\": \"%s\",\n  \"torch_dtype\": "
                  "\"float16\",\n"
                  "  \"hidden_size\": %llu,\n  \"intermediate_size\": %llu,\n  \"num_hidden_layers\": %llu,\n  "
                  "\"num_attention_heads\": %llu,\n"
                  "  \"num_key_value_heads\": %llu,\n  \"vocab_size\": %llu,\n  \"max_position_embeddings\": %llu,\n",
                  o->qwen ? "Qwen3Moe" : s->experts ? "Mixtral" : "Llama",
                  o->qwen ? "qwen3_moe" : s->experts ? "mixtral" : "llama",
                  (unsigned long long)s->hidden, (unsigned long long)s->ffn, (unsigned long long)s->layers,
                  (unsigned long long)s->heads, (unsigned long long)s->kv_heads, (unsigned long long)s->vocab,
                  (unsigned long long)s->context);
    qz_str_printf(&t,
                  "  \"tie_word_embeddings\": %s,\n  \"rms_norm_eps\": 1e-05,\n  \"rope_theta\": 10000.0,\n  "
                  "\"hidden_act\": \"silu\",\n"
                  "  \"bos_token_id\": 0,\n  \"eos_token_id\": 1\n}\n",
                  o->tied ? "true" : "false");
    if (s->head_dim) { /* before the closing brace */
        t.len -= 3;
        qz_str_printf(&t, ",\n  \"head_dim\": %llu\n}\n", (unsigned long long)s->head_dim);
    }
    if (s->experts) {
        t.len -= 3;
        qz_str_printf(&t, ",\n  \"%s\": %llu,\n  \"num_experts_per_tok\": %llu",
                      o->qwen ? "num_experts" : "num_local_experts", (unsigned long long)s->experts,
                      (unsigned long long)s->used);
        if (o->qwen)
            qz_str_printf(&t, ",\n  \"moe_intermediate_size\": %llu,\n  \"norm_topk_prob\": true",
                          (unsigned long long)s->ffn);
        qz_str_puts(&t, "\n}\n");
    }
    return write_text(o, "config.json", &t, err);
}

/* The byte alphabet of byte-level BPE: printable bytes stand for themselves, the others follow from U+0100. */
static void put_byte(qz_str *t, unsigned b, unsigned *extra) {
    unsigned c = (b >= 33 && b <= 126) || (b >= 161 && b != 173) ? b : 256 + (*extra)++;
    if (c == '"' || c == '\\') qz_str_putc(t, '\\');
    if (c < 128) qz_str_putc(t, (char)c);
    else {
        qz_str_putc(t, (char)(0xc0 | c >> 6));
        qz_str_putc(t, (char)(0x80 | (c & 63)));
    }
}

static qz_status write_tokenizer(const options *o, qz_error *err) {
    static const char *const special[SPECIALS] = {"<s>", "</s>"};
    qz_str t = {0};
    unsigned extra = 0;
    qz_str_puts(&t, "{\"version\": \"1.0\", \"truncation\": null, \"padding\": null, \"added_tokens\": [");
    for (int i = 0; i < SPECIALS; i++)
        qz_str_printf(&t,
                      "%s{\"id\": %d, \"content\": \"%s\", \"single_word\": false, \"lstrip\": false, \"rstrip\": "
                      "false, \"normalized\": false, "
                      "\"special\": true}",
                      i ? ", " : "", i, special[i]);
    qz_str_puts(&t, "], \"normalizer\": null, \"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": "
                    "false, \"trim_offsets\": true, "
                    "\"use_regex\": true}, \"post_processor\": null, \"decoder\": {\"type\": \"ByteLevel\", "
                    "\"add_prefix_space\": true, "
                    "\"trim_offsets\": true, \"use_regex\": true},\n\"model\": {\"type\": \"BPE\", \"dropout\": null, "
                    "\"unk_token\": null, "
                    "\"continuing_subword_prefix\": null, \"end_of_word_suffix\": null, \"fuse_unk\": false, "
                    "\"byte_fallback\": false, "
                    "\"vocab\": {\"<s>\": 0, \"</s>\": 1");
    for (unsigned b = 0; b < BYTES; b++) {
        qz_str_puts(&t, ", \"");
        put_byte(&t, b, &extra);
        qz_str_printf(&t, "\": %u", SPECIALS + b);
    }
    uint64_t id = SPECIALS + BYTES, pairs = o->s.vocab - id < LETTERS * LETTERS ? o->s.vocab - id : LETTERS * LETTERS;
    for (uint64_t i = 0; i < pairs; i++) /* every pair of small letters is a token and a merge */
        qz_str_printf(&t, ", \"%c%c\": %llu", (char)('a' + i / LETTERS), (char)('a' + i % LETTERS),
                      (unsigned long long)id++);
    for (; id < o->s.vocab; id++)
        qz_str_printf(&t, ", \"unused%llu\": %llu", (unsigned long long)id, (unsigned long long)id);
    qz_str_puts(&t, "},\n\"merges\": [");
    for (uint64_t i = 0; i < pairs; i++)
        qz_str_printf(&t, "%s\"%c %c\"", i ? ", " : "", (char)('a' + i / LETTERS), (char)('a' + i % LETTERS));
    qz_str_puts(&t, "]}}\n");
    return write_text(o, "tokenizer.json", &t, err);
}

/* ---- options ---- */

static const char usage[] =
    "usage: gen_model OUT [--shape tinyllama|4b|8b|small|case] [--seed N] [--hidden N] [--ffn N] [--layers N]\n"
    "                     [--heads N] [--kv-heads N] [--head-dim N] [--experts N] [--used N] [--qwen]\n"
    "                     [--vocab N] [--context N] [--tied] [--sigma X] [--threads N]\n";

static bool read_u64(const char *text, uint64_t *out) {
    char *end;
    *out = strtoull(text, &end, 10);
    return end != text && *end == 0 && text[0] != '-';
}

static bool read_shape(const char *name, shape *out) {
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        if (strcmp(shapes[i].name, name) == 0) return *out = shapes[i], true;
    return false;
}

static bool read_options(int argc, char **argv, options *o) {
    /* Numbers after --shape replace the shape's own, so --shape comes first. */
    static const struct option rows[] = {
        {"shape", 1, NULL, 's'}, {"seed", 1, NULL, 'r'}, {"hidden", 1, NULL, 'h'}, {"ffn", 1, NULL, 'f'},
        {"layers", 1, NULL, 'l'}, {"heads", 1, NULL, 'a'}, {"kv-heads", 1, NULL, 'k'}, {"vocab", 1, NULL, 'v'},
        {"head-dim", 1, NULL, 'd'}, {"experts", 1, NULL, 'x'}, {"used", 1, NULL, 'u'}, {"context", 1, NULL, 'c'},
        {"sigma", 1, NULL, 'g'}, {"threads", 1, NULL, 't'}, {"tied", 0, NULL, 'T'}, {"qwen", 0, NULL, 'q'},
        {NULL, 0, NULL, 0}};
    int c;
    while ((c = getopt_long(argc, argv, "", rows, NULL)) != -1) {
        bool ok = true;
        char *end = NULL;
        switch (c) {
        case 's': ok = read_shape(optarg, &o->s); break;
        case 'r': ok = read_u64(optarg, &o->seed); break;
        case 'h': ok = read_u64(optarg, &o->s.hidden); break;
        case 'f': ok = read_u64(optarg, &o->s.ffn); break;
        case 'l': ok = read_u64(optarg, &o->s.layers); break;
        case 'a': ok = read_u64(optarg, &o->s.heads); break;
        case 'k': ok = read_u64(optarg, &o->s.kv_heads); break;
        case 'v': ok = read_u64(optarg, &o->s.vocab); break;
        case 'd': ok = read_u64(optarg, &o->s.head_dim); break;
        case 'x': ok = read_u64(optarg, &o->s.experts); break;
        case 'u': ok = read_u64(optarg, &o->s.used); break;
        case 'c': ok = read_u64(optarg, &o->s.context); break;
        case 't': ok = read_u64(optarg, &o->threads) && o->threads <= 1024; break;
        case 'g': o->sigma = strtod(optarg, &end), ok = end != optarg && *end == 0; break;
        case 'T': o->tied = true; break;
        case 'q': o->qwen = true; break;
        default: return false;
        }
        if (!ok) return (void)fprintf(stderr, "gen_model: error: bad value '%s'\n", optarg), false;
    }
    if (optind + 1 != argc) return false;
    if (o->s.used == 0) o->s.used = o->s.experts < 2 ? o->s.experts : 2;
    o->out = argv[optind];
    return true;
}

static qz_status check_shape(const options *o, qz_error *err) {
    const shape *s = &o->s;
    const uint64_t all[] = {s->hidden, s->ffn, s->layers, s->heads, s->kv_heads, s->vocab, s->context};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i] == 0 || all[i] > 1u << 20)
            return qz_fail(err, QZ_EUSAGE, "bad shape: a size is %llu: expected 1 to 1048576",
                           (unsigned long long)all[i]);
    if (o->qwen && (!s->experts || !s->head_dim))
        return qz_fail(err, QZ_EUSAGE, "bad shape: --qwen wants --experts and --head-dim");
    if (s->head_dim > 1024 || s->experts > 1024 || s->used > s->experts)
        return qz_fail(err, QZ_EUSAGE, "bad shape: head-dim and experts are at most 1024, used at most experts");
    if ((!s->head_dim && s->hidden % s->heads) || s->heads % s->kv_heads)
        return qz_fail(err, QZ_EUSAGE, "bad shape: hidden must be a multiple of heads, heads of kv-heads");
    if (s->vocab < SPECIALS + BYTES)
        return qz_fail(err, QZ_EUSAGE, "bad shape: vocab is %llu: expected at least %d", (unsigned long long)s->vocab,
                       SPECIALS + BYTES);
    return QZ_OK;
}

int main(int argc, char **argv) {
    options o = {.s = shapes[0], .seed = 1, .sigma = 0.02};
    qz_error err = {0};
    if (!read_options(argc, argv, &o)) return (void)fputs(usage, stderr), 2;
    qz_status st = check_shape(&o, &err);
    if (st == QZ_OK) st = qz_make_dirs(o.out, &err);
    if (st == QZ_OK) st = write_weights(&o, &err);
    if (st == QZ_OK) st = write_tokenizer(&o, &err);
    if (st == QZ_OK) st = write_config(&o, &err); /* last: a folder with it is complete */
    if (st != QZ_OK) (void)fprintf(stderr, "gen_model: error: %s\n", err.text);
    return qz_exit_code(st);
}
