#include "engine/sampler.h"
#include "base/mathx.h"
#include "base/size.h"

/* The largest logit as it is: nothing to weigh. */
static bool plain(const qz_sampling *o) { return o->temperature <= 0 && o->repetition_penalty == 1.0f; }

qz_status qz_sampler_init(qz_sampler *s, const qz_sampling *opt, size_t vocab, qz_error *err) {
    *s = (qz_sampler){.opt = *opt, .vocab = vocab};
    qz_rng_seed(&s->rng, opt->seed);
    if (plain(opt)) return QZ_OK;
    s->cand = qz_alloc_array(vocab, sizeof *s->cand);
    return s->cand ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for a sampler over %zu tokens", vocab);
}
void qz_sampler_release(qz_sampler *s) {
    qz_free(s->cand);
    *s = (qz_sampler){0};
}

uint32_t qz_argmax(const float *logits, size_t n) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = i;
    return (uint32_t)best;
}

static int by_probability(const void *a, const void *b) {
    const qz_candidate *x = a, *y = b;
    if (x->p != y->p) return x->p < y->p ? 1 : -1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void penalise(qz_sampler *s, const uint32_t *recent, size_t n) {
    float r = s->opt.repetition_penalty;
    if (r == 1.0f) return;
    size_t first = s->opt.repetition_window && n > s->opt.repetition_window ? n - s->opt.repetition_window : 0;
    for (size_t i = first; i < n; i++) {
        bool seen = false; /* each distinct token once */
        for (size_t j = first; j < i && !seen; j++) seen = recent[j] == recent[i];
        if (seen || recent[i] >= s->vocab) continue;
        float *p = &s->cand[recent[i]].p;
        *p = *p > 0 ? *p / r : *p * r;
    }
}

uint32_t qz_sampler_pick(qz_sampler *s, const float *logits, const uint32_t *recent, size_t n_recent) {
    size_t n = s->vocab;
    if (plain(&s->opt)) return qz_argmax(logits, n);
    for (size_t i = 0; i < n; i++) s->cand[i] = (qz_candidate){.p = logits[i], .id = (uint32_t)i};
    penalise(s, recent, n_recent);
    if (s->opt.temperature <= 0) {
        size_t best = 0;
        for (size_t i = 1; i < n; i++)
            if (s->cand[i].p > s->cand[best].p) best = i;
        return s->cand[best].id;
    }
    qsort(s->cand, n, sizeof *s->cand, by_probability);
    if (s->opt.top_k && s->opt.top_k < n) n = s->opt.top_k;
    double max = s->cand[0].p, sum = 0, t = s->opt.temperature;
    for (size_t i = 0; i < n; i++) {
        s->cand[i].p = (float)qz_exp(((double)s->cand[i].p - max) / t);
        sum += s->cand[i].p;
    }
    if (s->opt.top_p < 1.0f) {
        double cum = 0;
        size_t keep = 0;
        while (keep < n && cum < (double)s->opt.top_p * sum) cum += s->cand[keep++].p;
        n = keep ? keep : 1;
    }
    size_t keep = 1; /* the first candidate has p = 1 */
    while (keep < n && s->cand[keep].p >= s->opt.min_p) keep++;
    n = keep;
    sum = 0;
    for (size_t i = 0; i < n; i++) sum += s->cand[i].p;
    double u = qz_rng_unit(&s->rng) * sum;
    for (size_t i = 0; i < n; i++) {
        u -= s->cand[i].p;
        if (u < 0) return s->cand[i].id;
    }
    return s->cand[n - 1].id;
}
