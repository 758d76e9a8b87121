#include "eval/score.h"
#include "base/mathx.h"
#include "base/rng.h"
#include "base/size.h"
#include "eval/logprob.h"
#include <math.h>
#include <string.h>

enum { BOOTSTRAP = 1000, GROUP_TOKENS = 512, GROUP_WINDOWS = 64, GROUP_BYTES = 64 << 20 };

/* Per-token values of one model over the whole set. */
typedef struct { double *nll, *kl, *dp; uint8_t *same; } tokens;

typedef struct {
    const qz_mm *mm;
    const float *a, *b;       /* logits [rows, vocab]; b NULL: only nll of a */
    const uint32_t *target;
    size_t rows, vocab;
    double *a_lse;            /* [rows] kept from the source pass */
    uint32_t *a_top;
    double *nll, *kl, *dp;
    uint8_t *same;
} row_job;

static void row_worker(void *arg, qz_part part) {
    const row_job *j = arg;
    size_t lo, hi;
    qz_split(j->rows, 1, part, &lo, &hi);
    for (size_t r = lo; r < hi; r++) {
        const float *a = j->a + r * j->vocab;
        if (j->b == NULL) {
            j->a_lse[r] = qz_log_sum_exp(j->mm, a, j->vocab, &j->a_top[r]);
            j->nll[r] = j->a_lse[r] - (double)a[j->target[r]];
            continue;
        }
        const float *b = j->b + r * j->vocab;
        uint32_t top;
        double lse = qz_log_sum_exp(j->mm, b, j->vocab, &top);
        j->nll[r] = lse - (double)b[j->target[r]];
        j->kl[r] = qz_kl_row(j->mm, a, j->a_lse[r], b, lse, j->vocab);
        j->same[r] = top == j->a_top[r];
        double pa = qz_exp((double)a[j->target[r]] - j->a_lse[r]), pb = qz_exp(-j->nll[r]);
        j->dp[r] = (pb - pa) * (pb - pa);
    }
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}
/* Smallest value that at least a share q of the sorted values do not exceed. */
static double quantile(const double *sorted, size_t n, double q) {
    size_t i = (size_t)ceil(q * (double)n);
    return sorted[i ? qz_min_size(i, n) - 1 : 0];
}

typedef struct { double sum; size_t n; } bucket;
/* A ratio of sums over windows and its standard error (linearized). */
typedef struct { double value, se; } ratio;
static ratio ratio_of(const bucket *w, const uint32_t *drawn, size_t n) {
    double sum = 0, count = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        const bucket *x = &w[drawn ? drawn[i] : i];
        sum += x->sum;
        count += (double)x->n;
    }
    const double value = sum / count;
    for (size_t i = 0; i < n; i++) {
        const bucket *x = &w[drawn ? drawn[i] : i];
        const double r = x->sum - value * (double)x->n;
        squares += r * r;
    }
    return (ratio){value, sqrt(squares * (double)n / (double)(n - 1)) / count};
}

/* 95 % interval of a ratio of sums, windows drawn with replacement (seeded: the same on every run). Studentized: plain
 * quantiles of the draws hold 92 % of 60 skewed windows, these 94 (eval_test). Of few windows a draw may hardly spread
 * at all, and its error is no measure then: plain quantiles below STUDENT_FROM. */
enum { STUDENT_FROM = 12 };
static void bootstrap(const bucket *w, size_t n, double *low, double *high) {
    double *t = qz_alloc_array(BOOTSTRAP, sizeof *t);
    uint32_t *drawn = qz_alloc_array(n + 1, sizeof *drawn);
    *low = *high = (double)NAN;
    if (t != NULL && drawn != NULL && n > 1) {
        const bool student = n >= STUDENT_FROM;
        const ratio all = ratio_of(w, NULL, n);
        qz_rng rng;
        qz_rng_seed(&rng, 20240);
        for (size_t b = 0; b < BOOTSTRAP; b++) {
            for (size_t i = 0; i < n; i++) drawn[i] = (uint32_t)qz_rng_below(&rng, n);
            const ratio r = ratio_of(w, drawn, n);
            if (student) t[b] = r.se > 0 ? (r.value - all.value) / r.se : 0;
            else t[b] = r.value;
        }
        qsort(t, BOOTSTRAP, sizeof *t, by_value);
        const double first = quantile(t, BOOTSTRAP, 0.025), last = quantile(t, BOOTSTRAP, 0.975);
        *low = student ? all.value - last * all.se : first;
        *high = student ? all.value - first * all.se : last;
    }
    qz_free(drawn);
    qz_free(t);
}

static double per_window(const double *v, const uint32_t *window, size_t n, bucket *w, size_t *n_windows) {
    double total = 0;
    *n_windows = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || window[i] != window[i - 1]) w[(*n_windows)++] = (bucket){0, 0};
        w[*n_windows - 1].sum += v[i];
        w[*n_windows - 1].n++;
        total += v[i];
    }
    return total / (double)n;
}

/* Values by token [n]. */
typedef struct { const double *nll, *source, *kl; const uint32_t *window; size_t n; } by_token;
static void paired_summary(const by_token *v, bucket *w, double *tmp, qz_score *out) {
    const double *nll = v->nll, *source = v->source, *kl = v->kl;
    const uint32_t *window = v->window;
    const size_t n = v->n;
    size_t nw;
    for (size_t i = 0; i < n; i++) tmp[i] = nll[i] - source[i];
    double d = per_window(tmp, window, n, w, &nw), var = 0;
    for (size_t i = 0; i < n; i++) var += (tmp[i] - d) * (tmp[i] - d);
    out->ln_ratio = d;
    out->ln_ratio_se = n > 1 ? sqrt(var / (double)(n - 1) / (double)n) : 0;
    out->delta_ppl_pct = (qz_figure){.value = 100 * (exp(d) - 1), .low = 100 * (exp(d - 1.96 * out->ln_ratio_se) - 1),
                                     .high = 100 * (exp(d + 1.96 * out->ln_ratio_se) - 1), .n = n, .present = true};
    out->kl = (qz_figure){.value = per_window(kl, window, n, w, &nw), .n = n, .present = true};
    bootstrap(w, nw, &out->kl.low, &out->kl.high);
    if (out->kl.low < 0) out->kl.low = 0; /* NaN of one window stays */
    memcpy(tmp, kl, n * sizeof *tmp);
    qsort(tmp, n, sizeof *tmp, by_value);
    out->kl_median = quantile(tmp, n, 0.5);
    out->kl_p99 = quantile(tmp, n, 0.99);
    out->kl_p999 = quantile(tmp, n, 0.999);
    out->kl_max = tmp[n - 1];
    out->paired = true;
}

void qz_score_summary(const double *nll, const double *source_nll, const double *kl, const uint32_t *window, size_t n,
                      qz_score *out) {
    *out = (qz_score){.scored = n};
    bucket *w = qz_alloc_array(n, sizeof *w);
    double *tmp = qz_alloc_array(n, sizeof *tmp), means = 0;
    size_t nw;
    if (w != NULL && tmp != NULL && n > 0) {
        double mean = per_window(nll, window, n, w, &nw), low, high;
        for (size_t i = 0; i < nw; i++) means += w[i].sum / (double)w[i].n;
        out->ppl_of_means = exp(means / (double)nw);
        bootstrap(w, nw, &low, &high);
        out->ppl = (qz_figure){.value = exp(mean), .low = exp(low), .high = exp(high), .n = n, .present = true};
        if (source_nll != NULL) paired_summary(&(by_token){nll, source_nll, kl, window, n}, w, tmp, out);
    }
    qz_free(w);
    qz_free(tmp);
}

typedef struct {
    qz_run *run;
    qz_mm *mm;
    qz_engine *const *engines;  /* source first when there is one */
    qz_kv **kv;
    size_t n, vocab, room;      /* room: tokens of a step */
    const qz_eval_set *set;
    tokens *t;                  /* [n] */
    uint32_t *window;           /* [scored] */
    float *logits, *source_logits;
    uint8_t *want;              /* [room], as all that follow */
    uint32_t *ids, *seq, *target;
    double *lse;
    uint32_t *top;
    bool has_source;
} scorer;

/* Windows from w on that are scored in one step: weights are read and unpacked once for all. A window's figures do not
 * depend on the others (independence_test). */
static size_t group_end(const scorer *s, size_t w) {
    size_t total = 0, e = w;
    while (e < s->set->n && e - w < GROUP_WINDOWS && (e == w || total + s->set->windows[e].n <= s->room))
        total += s->set->windows[e++].n;
    return e;
}

/* Windows w to e as one batch; *n tokens and *rows of it. */
static void gather(scorer *s, size_t w, size_t e, size_t at, size_t *n, size_t *rows) {
    *n = *rows = 0;
    for (size_t i = w; i < e; i++) {
        const qz_eval_window *x = &s->set->windows[i];
        for (size_t k = 0; k < x->n; k++, ++*n) {
            s->ids[*n] = x->ids[k];
            s->seq[*n] = (uint32_t)(i - w);
            s->want[*n] = k + 1 >= x->first && k + 1 < x->n;
        }
        for (size_t k = x->first; k < x->n; k++, ++*rows) {
            s->target[*rows] = x->ids[k];
            s->window[at + *rows] = (uint32_t)i;
        }
    }
}

static qz_status score_group(scorer *s, size_t w, size_t e, size_t at, size_t *rows, qz_error *err) {
    size_t n;
    gather(s, w, e, at, &n, rows);
    for (size_t m = 0; m < s->n; m++) {
        const bool src = s->has_source && m == 0;
        float *logits = src || !s->has_source ? s->source_logits : s->logits;
        for (size_t i = 0; i < e - w; i++) qz_kv_reset(s->kv[m], i);
        QZ_TRY(qz_engine_forward(s->engines[m], s->kv[m],
                                 &(qz_batch){.ids = s->ids, .seq = s->seq, .want = s->want, .n = n}, logits, err));
        row_job j = {.mm = s->mm, .a = s->source_logits, .b = s->has_source && m > 0 ? s->logits : NULL,
                     .target = s->target, .rows = *rows, .vocab = s->vocab,
                     .a_lse = s->lse, .a_top = s->top, .nll = s->t[m].nll + at, .kl = s->t[m].kl + at,
                     .dp = s->t[m].dp + at, .same = s->t[m].same + at};
        qz_pool_run(s->run->pool, 0, row_worker, &j);
    }
    return QZ_OK;
}

/* Tokens of a step: no fewer than the longest window has, no more than keep the logits small. */
static size_t room_of(const scorer *s) {
    const size_t fit = GROUP_BYTES / (s->vocab * sizeof(float));
    return qz_max_size(s->set->longest, qz_min_size(GROUP_TOKENS, fit));
}

static qz_status scorer_open(scorer *s, qz_error *err) {
    size_t n = s->set->scored, total, most = 1;
    s->room = room_of(s);
    for (size_t w = 0; w < s->set->n; w = group_end(s, w)) most = qz_max_size(most, group_end(s, w) - w);
    bool ok = qz_mul_size(s->room, s->vocab, &total);
    s->logits = ok ? qz_alloc_aligned(total, sizeof(float)) : NULL;
    s->source_logits = ok ? qz_alloc_aligned(total, sizeof(float)) : NULL;
    s->want = qz_alloc_array(s->room, 1);
    s->ids = qz_alloc_array(s->room, sizeof *s->ids);
    s->seq = qz_alloc_array(s->room, sizeof *s->seq);
    s->target = qz_alloc_array(s->room, sizeof *s->target);
    s->lse = qz_alloc_array(s->room, sizeof *s->lse);
    s->top = qz_alloc_array(s->room, sizeof *s->top);
    s->window = qz_alloc_array(n, sizeof *s->window);
    s->t = qz_calloc_array(s->n, sizeof *s->t);
    s->kv = qz_calloc_array(s->n, sizeof(qz_kv *));
    if (!s->logits || !s->source_logits || !s->want || !s->ids || !s->seq || !s->target || !s->lse || !s->top ||
        !s->window || !s->t || !s->kv)
        return qz_fail(err, QZ_EMEMORY, "out of memory evaluating %zu tokens", n);
    QZ_TRY(qz_mm_open(s->run, &s->mm, err));
    for (size_t m = 0; m < s->n; m++) {
        s->t[m] = (tokens){qz_alloc_array(n, sizeof(double)), qz_calloc_array(n, sizeof(double)),
                           qz_calloc_array(n, sizeof(double)), qz_calloc_array(n, 1)};
        if (!s->t[m].nll || !s->t[m].kl || !s->t[m].dp || !s->t[m].same)
            return qz_fail(err, QZ_EMEMORY, "out of memory evaluating %zu tokens", n);
        QZ_TRY(qz_kv_open(s->engines[m], most, s->set->longest, &s->kv[m], err));
    }
    return QZ_OK;
}
static void scorer_release(scorer *s) {
    for (size_t m = 0; m < s->n; m++) {
        if (s->t) {
            qz_free(s->t[m].nll);
            qz_free(s->t[m].kl);
            qz_free(s->t[m].dp);
            qz_free(s->t[m].same);
        }
        if (s->kv) qz_kv_free(s->kv[m]);
    }
    qz_mm_free(s->mm);
    qz_free(s->t);
    qz_free(s->kv);
    qz_free(s->logits);
    qz_free(s->source_logits);
    qz_free(s->want);
    qz_free(s->ids);
    qz_free(s->seq);
    qz_free(s->target);
    qz_free(s->lse);
    qz_free(s->top);
    qz_free(s->window);
}

/* How much KL artifact m has over the first one, window by window. */
static void against_first(const scorer *s, size_t m, qz_score *out) {
    size_t n = s->set->scored, nw;
    double *d = qz_alloc_array(n, sizeof *d);
    bucket *w = qz_alloc_array(n, sizeof *w);
    if (d && w && n > 0) {
        for (size_t i = 0; i < n; i++) d[i] = s->t[m].kl[i] - s->t[1].kl[i];
        out->kl_change = (qz_figure){.value = per_window(d, s->window, n, w, &nw), .n = n, .present = true};
        bootstrap(w, nw, &out->kl_change.low, &out->kl_change.high);
    }
    qz_free(d);
    qz_free(w);
}

void qz_score_release(qz_score *s) {
    qz_free(s->windows);
    s->windows = NULL;
    s->n_windows = 0;
}

size_t qz_position_from(size_t at) { return at ? (size_t)8 << at : 0; }
static size_t bucket_of(size_t position) {
    size_t b = 0;
    while (b + 1 < QZ_POSITION_BUCKETS && position >= qz_position_from(b + 1)) b++;
    return b;
}
static size_t bin_of(double kl) {
    const double at = kl > 0 ? floor(4 * (log10(kl) + 7)) : 0;
    return at <= 0 ? 0 : at >= QZ_KL_BINS ? QZ_KL_BINS - 1 : (size_t)at;
}
/* Keeps the largest first. */
static void see_worst(qz_score *out, qz_worst_token w) {
    size_t i = out->n_worst;
    if (i == QZ_WORST_TOKENS && w.kl <= out->worst[i - 1].kl) return;
    if (i == QZ_WORST_TOKENS) i--;
    else out->n_worst++;
    for (; i > 0 && out->worst[i - 1].kl < w.kl; i--) out->worst[i] = out->worst[i - 1];
    out->worst[i] = w;
}

/* Sums by window and position, bins, the worst token of each window. */
static qz_status details(const scorer *s, size_t m, bool paired, qz_score *out, qz_error *err) {
    size_t at = 0;
    out->windows = qz_calloc_array(s->set->n + 1, sizeof *out->windows);
    if (out->windows == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory evaluating %zu tokens", s->set->scored);
    out->n_windows = s->set->n;
    for (size_t w = 0; w < s->set->n; w++) {
        const qz_eval_window *x = &s->set->windows[w];
        qz_window_score *to = &out->windows[w];
        qz_worst_token worst = {.window = w, .kl = -1};
        for (size_t k = x->first; k < x->n; k++, at++) {
            const double kl = s->t[m].kl[at];
            to->nll += s->t[m].nll[at];
            to->n++;
            if (!paired) continue;
            to->kl += kl;
            qz_position_score *p = &out->position[bucket_of(k)];
            p->kl += kl;
            p->n++;
            out->kl_bins[bin_of(kl)]++;
            if (kl > worst.kl) worst.kl = kl, worst.position = k;
        }
        if (worst.kl > 0) see_worst(out, worst);
        if (to->n) to->kl /= (double)to->n, to->nll /= (double)to->n;
    }
    for (size_t b = 0; b < QZ_POSITION_BUCKETS; b++)
        if (out->position[b].n) out->position[b].kl /= (double)out->position[b].n;
    return QZ_OK;
}

static qz_status finish(const scorer *s, size_t m, qz_score *out, qz_error *err) {
    size_t n = s->set->scored;
    bool paired = s->has_source && m > 0;
    qz_score_summary(s->t[m].nll, paired ? s->t[0].nll : NULL, s->t[m].kl, s->window, n, out);
    QZ_TRY(details(s, m, paired, out, err));
    if (!paired) return QZ_OK;
    if (m > 1) against_first(s, m, out);
    double same = 0, dp = 0;
    for (size_t i = 0; i < n; i++) same += s->t[m].same[i], dp += s->t[m].dp[i];
    out->top1 = 100 * same / (double)n;
    out->rms_dp = 100 * sqrt(dp / (double)n);
    return QZ_OK;
}

qz_status qz_score_run(qz_run *run, const qz_score_models *models, const qz_eval_set *set, qz_score *scores,
                       qz_score *source_score, qz_error *err) {
    qz_engine *engines[QZ_SCORE_ENGINES + 1], *source = models->source;
    size_t n = 0;
    if (models->n > QZ_SCORE_ENGINES)
        return qz_fail(err, QZ_EUSAGE, "too many artifacts: expected at most %d, found %zu", QZ_SCORE_ENGINES,
                       models->n);
    if (source) engines[n++] = source;
    for (size_t i = 0; i < models->n; i++) engines[n++] = models->artifacts[i];
    scorer s = {.run = run, .engines = engines, .n = n, .set = set, .has_source = source != NULL,
                .vocab = qz_engine_model(engines[0])->config.vocab_size};
    for (size_t i = 1; i < n; i++)
        if (qz_engine_model(engines[i])->config.vocab_size != s.vocab)
            return qz_fail(err, QZ_EUSAGE, "vocabularies differ: expected %zu tokens, found %llu in '%s'", s.vocab,
                           (unsigned long long)qz_engine_model(engines[i])->config.vocab_size,
                           qz_engine_model(engines[i])->path);
    qz_status st = scorer_open(&s, err);
    size_t at = 0, seen = 0; /* seen: tokens of all models together */
    qz_progress_begin(run);
    for (size_t w = 0, e, rows; w < set->n && st == QZ_OK; w = e) {
        e = group_end(&s, w);
        st = score_group(&s, w, e, at, &rows, err);
        at += rows;
        for (size_t i = w; i < e; i++) seen += set->windows[i].n * n;
        qz_progress_at(run, &(qz_progress){.stage = "evaluating", .unit = "windows", .done = e, .total = set->n,
                                           .tokens = seen});
    }
    qz_progress_end(run);
    for (size_t i = 0; st == QZ_OK && i < models->n; i++) st = finish(&s, i + s.has_source, &scores[i], err);
    if (st == QZ_OK && source && source_score) st = finish(&s, 0, source_score, err);
    scorer_release(&s);
    return st;
}
