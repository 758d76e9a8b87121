#include "plan/job.h"
#include "base/size.h"
#include <string.h>

/* Rates of this program per thread on the machine of docs/benchmarks.md (2 cores, AVX-512); a plan's hours
 * are of that kind. */
#define ENCODE_PER_S 9.4e6      /* weights: GGUF block types, --search best, with hashing, check and proof */
#define PACK_PER_S 60e6         /* weights: float conversion and simple codes, bound by memory and disk */
#define GRAM_FLOP_PER_S 7.5e10  /* calibration pass: products in the fixed order */
#define FACTOR_FLOP_PER_S 2.4e10 /* Cholesky factors and inverses, double */
#define RANGES_PER_S 2.5e6      /* weights: ranges searched, codes chosen and moved */
#define SOLVE_PASSES 6.5        /* products of rows × K × K that a linear costs: feedback, rounds, refits, energy */
#define TRIED 4.0               /* factors that damping is tried with, of at most so many columns: */
#define TRIED_COLUMNS 1280.0
#define CHUNK_FLOATS (16u << 20)
#define CHUNK_TOKENS 4096u

typedef struct {
    uint64_t float_block, widest_gram, all_grams, largest, stats;
    double sum_k2, solve, factor, coded;
} sizes;

/* Elements of the Gram matrices: of all inputs (model/sites.h), those of experts for each of its own tokens. */
static void measure_grams(const qz_shape *s, sizes *z) {
    const uint64_t o = s->config.latent.kv_rank ? s->heads * s->config.latent.v : s->heads * s->head_dim,
                   h2 = s->hidden * s->hidden, w2 = s->expert_width * s->expert_width;
    /* qkv and gate_up share the hidden width */
    const uint64_t dense = 2 * h2 + o * o + s->intermediate * s->intermediate;
    const uint64_t sparse = 2 * h2 + o * o + s->experts * (h2 + w2),
                   seen = 2 * h2 + o * o + s->experts_used * (h2 + w2);
    const uint64_t n_dense = s->experts ? s->dense_layers : s->layers, n_sparse = s->layers - n_dense;
    z->all_grams = 8 * qz_max_size(n_dense ? dense : 0, n_sparse ? sparse : 0);
    z->stats = 2 * (n_dense * dense + n_sparse * sparse) + 2 * h2; /* packed float32 triangles, and the output matrix */
    z->sum_k2 = (double)n_dense * (double)dense + (double)n_sparse * (double)seen;
}

/* Multiply-adds of factor and inverse of an input, those that are tried included. */
static double factor_of(uint64_t columns) {
    const double k = (double)columns, t = k < TRIED_COLUMNS ? k : TRIED_COLUMNS;
    return (k * k * k + TRIED * t * t * t) / 3;
}
static void measure_factors(const qz_shape *s, sizes *z) {
    const uint64_t o = s->config.latent.kv_rank ? s->heads * s->config.latent.v : s->heads * s->head_dim;
    const uint64_t n_dense = s->experts ? s->dense_layers : s->layers, n_sparse = s->layers - n_dense;
    const double mixer = factor_of(s->hidden) + factor_of(o), dense = factor_of(s->hidden) + factor_of(s->intermediate),
                 sparse = (double)s->experts * (factor_of(s->hidden) + factor_of(s->expert_width));
    z->factor = (double)s->layers * mixer + (double)n_dense * dense + (double)n_sparse * sparse;
}

/* One decoder block in float, the Gram matrices of its inputs, the largest tensor. */
static sizes measure(const qz_shape *s) {
    sizes z = {0};
    uint64_t layer0 = s->layers ? s->layers - 1 : 0;
    for (size_t i = 0; i < s->n_tensors; i++) {
        const qz_shape_tensor *t = &s->tensors[i];
        uint64_t n = t->rows * t->cols;
        z.largest = qz_max_size(z.largest, n);
        if (t->role != QZ_ROLE_LINEAR && t->role != QZ_ROLE_EXPERT) continue;
        z.solve += (double)n * (double)t->count * (double)t->cols;
        z.coded += (double)n * (double)t->count;
        if (t->layer != (long)layer0) continue;
        z.float_block += 4 * n * t->count;
        if (t->cols * t->cols > z.widest_gram) z.widest_gram = t->cols * t->cols;
    }
    measure_grams(s, &z);
    measure_factors(s, &z);
    return z;
}

static bool needs_statistics(qz_level l) {
    const char *n = qz_level_get(l)->name;
    return strncmp(n, "awq:", 4) == 0 || strncmp(n, "gptq:", 5) == 0;
}

/* Seconds of a thread by what takes them; the largest is what bounds the job. */
static void take_time(qz_job *out, const sizes *z, double encode, double pass, double threads) {
    const struct { double seconds; const char *name; } parts[] = {
        {encode, "encoding"}, {pass, "calibration"}, {2 * SOLVE_PASSES * z->solve / GRAM_FLOP_PER_S, "products"},
        {2 * z->factor / FACTOR_FLOP_PER_S, "factors"}, {z->coded / RANGES_PER_S, "ranges"}};
    double most = 0;
    for (size_t i = 0; i < (out->calibrates ? sizeof parts / sizeof *parts : 1); i++) {
        out->seconds += parts[i].seconds / threads;
        if (parts[i].seconds > most) most = parts[i].seconds, out->bound = parts[i].name;
    }
}

qz_status qz_job_plan(const qz_shape *s, qz_level l, uint64_t samples, uint64_t seq_len, uint64_t threads, qz_job *out,
                      qz_error *err) {
    *out = (qz_job){.calibrates = needs_statistics(l)};
    qz_weighed w;
    uint64_t tokens, hidden = 0;
    if (!qz_mul_u64(samples, seq_len, &tokens) || !qz_mul_u64(tokens, 4 * s->hidden, &hidden))
        return qz_fail(err, QZ_EUSAGE, "%llu samples × %llu tokens is more than can be counted",
                       (unsigned long long)samples, (unsigned long long)seq_len);
    QZ_TRY(qz_level_weigh(s, l, false, NULL, &w, err));
    sizes z = measure(s);
    double n = threads ? (double)threads : 1;
    out->source_bytes = s->params * s->dtype_bytes;
    out->output_bytes = w.bytes;
    uint64_t chunk = 4 * qz_min_size(CHUNK_FLOATS, z.largest), base = (uint64_t)32 << 20;
    out->peak_ram = base + 2 * chunk + qz_min_size(z.largest, CHUNK_FLOATS) * s->dtype_bytes;
    const double encode = (double)s->params / (qz_level_get(l)->kind == QZ_LEVEL_GGUF ? ENCODE_PER_S : PACK_PER_S);
    const double pass_time = 2 * ((double)s->active_params + z.sum_k2 / 2) * (double)tokens / GRAM_FLOP_PER_S;
    if (out->calibrates) {
        uint64_t width = s->experts ? s->experts_used * s->expert_width : s->intermediate;
        uint64_t pass = hidden + z.all_grams + 4 * qz_min_size(tokens, CHUNK_TOKENS) * (3 * s->hidden + 2 * width);
        uint64_t solve = 2 * z.float_block + z.float_block / 4 + z.widest_gram * (8 + 3 * 4);
        out->peak_ram = base + qz_max_size(pass, solve);
        out->stats_bytes = z.stats;
    }
    take_time(out, &z, encode, pass_time, n);
    out->peak_disk = out->output_bytes + out->stats_bytes;
    return QZ_OK;
}

qz_status qz_job_check_disk(const qz_job *j, uint64_t free_bytes, const char *where, qz_error *err) {
    if (j->peak_disk <= free_bytes) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE,
                   "not enough disk at '%s': expected %.2f GB free (output %.2f GB%s), found %.2f GB, short of %.2f "
                   "GB; free space or choose a smaller format",
                   where, (double)j->peak_disk / 1e9, (double)j->output_bytes / 1e9,
                   j->stats_bytes ? " and calibration statistics" : "", (double)free_bytes / 1e9,
                   (double)(j->peak_disk - free_bytes) / 1e9);
}

qz_status qz_job_check_ram(const qz_job *j, uint64_t ram_bytes, qz_error *err) {
    if (ram_bytes == 0 || j->peak_ram <= ram_bytes) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE,
                   "not enough memory: expected %.2f GB, found %.2f GB that this process may use; take a machine with "
                   "more, or a format that needs no calibration",
                   (double)j->peak_ram / 1e9, (double)ram_bytes / 1e9);
}
