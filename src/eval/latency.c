#include "eval/latency.h"
#include "base/io.h"
#include "base/size.h"
#include "engine/session.h"
#include <string.h>

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}
static qz_spread spread_of(double *v, size_t n) {
    qsort(v, n, sizeof *v, by_value);
    double mid = n % 2 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]);
    return (qz_spread){mid, v[0], v[n - 1], v[qz_min_size(n - 1, n * 95 / 100)], v[qz_min_size(n - 1, n * 99 / 100)]};
}

/* Weight bytes of one decoding step: every linear and the output matrix once. */
static double step_bytes(const qz_model *m) {
    double n = (double)m->head->bytes;
    for (size_t l = 0; l < m->config.layers; l++)
        for (size_t i = 0; i < m->blocks[l].n_sites; i++) { /* of experts those that a token is sent to */
            const qz_bound *b = &m->blocks[l].sites[i];
            double bytes = 0;
            for (size_t e = 0; b->site.kind != QZ_SITE_NORM && e < qz_max_size(1, b->site.experts); e++)
                bytes += (double)b->weight[e]->bytes;
            n += b->site.experts ? bytes * (double)m->config.experts_used / (double)b->site.experts : bytes;
        }
    return n;
}

qz_status qz_latency_run(qz_run *run, qz_engine *e, const qz_latency_options *o, qz_latency *out, qz_error *err) {
    const uint32_t *prompt = o->prompt;
    const size_t n = o->n, pp_tokens = o->pp_tokens, new_tokens = o->new_tokens, repeats = o->repeats;
    *out = (qz_latency){.prompt_tokens = n, .pp_tokens = pp_tokens, .new_tokens = new_tokens, .repeats = repeats};
    const qz_model *m = qz_engine_model(e);
    size_t ctx = qz_max_size(n + qz_max_size(new_tokens, 10), pp_tokens) + 1;
    double *v = qz_alloc_array(repeats, 4 * sizeof *v);
    uint32_t *ids = qz_alloc_array(ctx, sizeof *ids), *filler = qz_alloc_array(pp_tokens, sizeof *filler);
    qz_session *s = NULL;
    qz_status st = v && ids && filler ? qz_session_open(e, 1, ctx, &s, err)
                                      : qz_fail(err, QZ_EMEMORY, "out of memory for the bench");
    for (size_t i = 0; st == QZ_OK && i < pp_tokens; i++) filler[i] = prompt[i % n];
    /* nothing stops it but its length */
    qz_sequence q = {.prompt = prompt, .n_prompt = n, .sampling = QZ_GREEDY, .max_new = 10, .out = ids};
    if (st == QZ_OK) st = qz_session_one(s, &q, err); /* warm-up */
    qz_progress_begin(run);
    for (size_t r = 0; r < repeats && st == QZ_OK; r++) {
        q.max_new = new_tokens;
        st = qz_session_one(s, &q, err);
        if (st != QZ_OK) break;
        v[r] = 1e3 * q.info.first_token_seconds;
        v[repeats + r] = (double)(q.info.n_new - 1) / q.info.decode_seconds;
        v[2 * repeats + r] = (double)q.info.n_new / (q.info.first_token_seconds + q.info.decode_seconds);
        qz_sequence long_one = {.prompt = filler, .n_prompt = pp_tokens, .sampling = QZ_GREEDY, .max_new = 1,
                                .out = ids};
        st = qz_session_one(s, &long_one, err);
        v[3 * repeats + r] = (double)pp_tokens / long_one.info.prefill_seconds;
        qz_progress_step(run, "bench", r + 1, repeats, "repeats");
    }
    qz_progress_end(run);
    if (st == QZ_OK) {
        out->kv_bytes = qz_session_kv_bytes(s);
        out->ttft_ms = spread_of(v, repeats);
        out->gen_tps = spread_of(v + repeats, repeats);
        out->end_to_end_tps = spread_of(v + 2 * repeats, repeats);
        out->prompt_tps = spread_of(v + 3 * repeats, repeats);
        out->bytes_per_token = step_bytes(m);
        out->bandwidth_gbs = out->bytes_per_token * out->gen_tps.median / 1e9;
    }
    qz_session_free(s);
    qz_free(v);
    qz_free(ids);
    qz_free(filler);
    return st;
}

typedef struct { const uint64_t *p; size_t n; uint64_t sums[1024]; } read_job;
static void read_worker(void *arg, qz_part part) {
    read_job *j = arg;
    size_t lo, hi;
    qz_split(j->n, 64, part, &lo, &hi);
    uint64_t s[8] = {0};
    for (size_t k = lo; k + 8 <= hi; k += 8)
        for (size_t l = 0; l < 8; l++) s[l] += j->p[k + l];
    j->sums[part.thread] = s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7];
}
double qz_memory_bandwidth(qz_run *run, size_t bytes, size_t passes) {
    read_job *j = qz_calloc_array(1, sizeof *j);
    uint64_t *p = qz_alloc_aligned(bytes, 1);
    double best = 0;
    if (j != NULL && p != NULL) {
        memset(p, 1, bytes);
        j->p = p;
        j->n = bytes / 8;
        for (size_t i = 0; i < passes; i++) {
            double t = qz_now();
            qz_pool_run(run->pool, 0, read_worker, j);
            double gbs = (double)bytes / (qz_now() - t) / 1e9;
            best = gbs > best ? gbs : best;
        }
    }
    qz_free(j);
    qz_free(p);
    return best;
}
