#include "calibrate/calibrate.h"
#include "base/half.h"
#include "base/io.h"
#include "base/journal.h"
#include "base/size.h"
#include <math.h>
#include <string.h>

enum { GRAM_BLOCK = 512, CHUNK_TOKENS = 4096 };

/* What one input has shown so far. */
typedef struct {
    double *gram;                     /* [cols, cols] */
    double *sum_abs;
    float *max_abs;
    uint16_t *held; size_t n_held;    /* [info.held, cols] */
    bool keeps;                       /* such tokens: an input of all tokens */
    uint64_t tokens;
} moments;

typedef struct {
    qz_run *run;
    qz_engine *e;
    const qz_calibration *c;
    qz_stats_info info;
    qz_out out;
    qz_journal journal;
    uint64_t *offsets, total;         /* sections of the file, its size */
    float *hidden;                    /* [windows*seq_len, hidden] */
    moments *input; size_t n_inputs;  /* of the inputs [lo, hi) of the current layer; room for the most at a time */
    size_t lo, hi;
    float *copy;                      /* of a chunk, where a layer takes several passes */
    float *row;                       /* one packed row on its way to the file */
    qz_status observed;               /* first failure inside the observer */
    qz_error *err;
} pass;

typedef struct { const float *x; size_t n, cols; double *sum; float *max; } abs_job;
static void abs_worker(void *arg, qz_part part) { /* threads own columns: token order is fixed */
    const abs_job *j = arg;
    size_t lo, hi;
    qz_split(j->cols, 16, part, &lo, &hi);
    for (size_t t = 0; t < j->n; t++)
        for (size_t k = lo; k < hi; k++) {
            float a = j->x[t * j->cols + k];
            a = a < 0 ? -a : a;
            j->sum[k] += (double)a;
            j->max[k] = a > j->max[k] ? a : j->max[k];
        }
}

/* ---- tokens that are kept: windows at equal distances, of each its beginning ---- */
enum { HELD_WINDOW = 512, HELD_SHARE = 8 };
typedef struct { size_t windows, take; } held_tokens;
static held_tokens held_of(const qz_calibration *c) {
    held_tokens h = {c->windows / HELD_SHARE, qz_min_size(c->seq_len, HELD_WINDOW)};
    h.windows = qz_min_size(h.windows, QZ_HELD_MOST / h.take);
    return h;
}

static void hold(const pass *p, moments *m, const float *x, size_t n, size_t cols) {
    const held_tokens h = held_of(p->c);
    for (size_t i = 0; i < h.windows; i++) {
        const uint64_t first = (uint64_t)(i * p->c->windows / h.windows) * p->c->seq_len, end = first + h.take;
        for (uint64_t t = first > m->tokens ? first : m->tokens; t < end && t < m->tokens + n; t++, m->n_held++)
            for (size_t k = 0; k < cols; k++)
                m->held[m->n_held * cols + k] = qz_f32_to_bf16(x[(t - m->tokens) * cols + k]);
    }
}

static void gather(pass *p, size_t input, const float *x, size_t n, size_t cols) {
    if (input < p->lo || input >= p->hi) return; /* of another pass */
    moments *m = &p->input[input - p->lo];
    abs_job j = {x, n, cols, m->sum_abs, m->max_abs};
    if (m->keeps) hold(p, m, x, n, cols);
    m->tokens += n;
    qz_pool_run(p->run->pool, 0, abs_worker, &j);
    if (p->observed == QZ_OK) p->observed = qz_mm_gram(qz_engine_mm(p->e), x, n, cols, m->gram, p->err);
}
static void observe(void *arg, const qz_observed *o) { gather(arg, o->input, o->x, o->n, o->cols); }

/* |x| or x·x beyond float32: nothing could be chosen by such statistics. */
static qz_status check_range(const pass *p, size_t layer, size_t input, double scale) {
    const qz_input in = qz_input_at(&p->info.in, layer, input);
    const moments *m = &p->input[input - p->lo];
    char name[QZ_SITE_NAME];
    for (size_t k = 0; k < in.cols; k++) {
        double x = m->gram[k * in.cols + k] * scale;
        if (isfinite((float)x) && isfinite(m->max_abs[k])) continue;
        if (layer == p->info.in.layers)
            return qz_fail(p->err, QZ_ENUMERIC,
                           "calibration overflows float32: input of the output matrix, column %zu: found |x| up to %g, "
                           "mean square %g",
                           k, (double)m->max_abs[k], x);
        return qz_fail(p->err, QZ_ENUMERIC,
                       "calibration overflows float32: layer %zu, input of %s, column %zu: found |x| up to %g, mean "
                       "square %g; is the checkpoint sound?",
                       layer, qz_input_text(&p->info.in, layer, &in, name), k, (double)m->max_abs[k], x);
    }
    return QZ_OK;
}

static qz_status write_input(pass *p, size_t layer, size_t input, uint64_t at) {
    const qz_input in = qz_input_at(&p->info.in, layer, input);
    const moments *m = &p->input[input - p->lo];
    const size_t cols = in.cols;
    const uint64_t tokens = in.expert < 0 ? p->info.tokens : m->tokens;
    double scale = tokens ? 1.0 / (double)tokens : 0;
    QZ_TRY(check_range(p, layer, input, scale));
    for (size_t k = 0; k < cols; k++) p->row[k] = (float)(m->sum_abs[k] * scale);
    QZ_TRY(qz_out_zeros(&p->out, (size_t)(at - p->out.size), p->err));
    QZ_TRY(qz_out_write(&p->out, p->row, cols * sizeof *p->row, p->err));
    QZ_TRY(qz_out_write(&p->out, m->max_abs, cols * sizeof *p->row, p->err));
    for (size_t i = 0; i < cols; i++) {
        for (size_t j = i; j < cols; j++) p->row[j - i] = (float)(m->gram[i * cols + j] * scale);
        QZ_TRY(qz_out_write(&p->out, p->row, (cols - i) * sizeof *p->row, p->err));
    }
    if (in.expert < 0) return qz_out_write(&p->out, m->held, p->info.held * cols * sizeof *m->held, p->err);
    return qz_out_write(&p->out, &tokens, sizeof tokens, p->err);
}
static qz_status write_layer(pass *p, size_t layer) {
    size_t first = 0;
    for (size_t l = 0; l < layer; l++) first += qz_inputs(&p->info.in, l);
    for (size_t i = p->lo; i < p->hi; i++) QZ_TRY(write_input(p, layer, i, p->offsets[first + i]));
    return QZ_OK;
}

static void clear(pass *p, size_t layer) {
    for (size_t i = p->lo; i < p->hi; i++) {
        const qz_input in = qz_input_at(&p->info.in, layer, i);
        const size_t cols = in.cols;
        moments *m = &p->input[i - p->lo];
        memset(m->gram, 0, cols * cols * sizeof(double));
        memset(m->sum_abs, 0, cols * sizeof(double));
        memset(m->max_abs, 0, cols * sizeof(float));
        m->tokens = 0;
        m->n_held = 0;
        m->keeps = p->info.held && in.expert < 0;
    }
}

/* The end of the inputs from lo on whose matrices fit into `most` bytes (0: all); one at least. */
static size_t inputs_end(const qz_input_widths *w, size_t layer, size_t lo, uint64_t most) {
    const size_t n = qz_inputs(w, layer);
    uint64_t bytes = 0;
    size_t hi = lo;
    for (; hi < n; hi++) {
        const uint64_t cols = qz_input_at(w, layer, hi).cols;
        bytes += 8 * cols * cols;
        if (most && hi > lo && bytes > most) break;
    }
    return hi;
}
/* Passes over the tokens that layer takes. */
static size_t passes_of(const qz_input_widths *w, size_t layer, uint64_t most) {
    size_t n = 0;
    for (size_t lo = 0; lo < qz_inputs(w, layer); lo = inputs_end(w, layer, lo, most)) n++;
    return n;
}

/* Whole windows, a multiple of 512 tokens in every chunk but the last: Gram blocks then fall the same for
 * any chunk size. */
static size_t chunk_windows(size_t seq_len) {
    size_t a = GRAM_BLOCK, b = seq_len;
    while (b) {
        size_t t = a % b;
        a = b;
        b = t;
    }
    size_t unit = GRAM_BLOCK / a; /* windows until both align */
    size_t k = CHUNK_TOKENS / (unit * seq_len);
    return unit * (k ? k : 1);
}

/* All windows through the layer, its inputs [lo, hi) gathered; last: the hidden states go on. */
static qz_status run_windows(pass *p, size_t layer, bool last) {
    size_t seq = p->c->seq_len, step = chunk_windows(seq), hidden = p->info.in.wide[QZ_WIDE_HIDDEN];
    for (size_t w = 0; w < p->c->windows; w += step) {
        size_t n = qz_min_size(step, p->c->windows - w);
        float *x = p->hidden + w * seq * hidden;
        qz_engine_at(p->e, w, 0);
        if (!last) x = memcpy(p->copy, x, n * seq * hidden * sizeof *x);
        QZ_TRY(qz_engine_block(p->e, layer, NULL, x, n, seq, p->err));
        QZ_TRY(p->observed);
        qz_progress_at(p->run, &(qz_progress){.stage = "calibrating",
                                              .unit = "windows",
                                              .done = w + n,
                                              .total = p->c->windows,
                                              .layer = layer + 1,
                                              .layers = p->info.in.layers,
                                              .tokens = qz_max_size(1, (layer * p->c->windows + w + n) * seq /
                                                                           p->info.in.layers)});
    }
    return QZ_OK;
}

static qz_status run_layer(pass *p, size_t layer, bool observed) {
    const size_t all = qz_inputs(&p->info.in, layer);
    qz_engine_observe(p->e, observed ? observe : NULL, p);
    for (p->lo = observed ? 0 : all; p->lo < all; p->lo = p->hi) {
        p->hi = inputs_end(&p->info.in, layer, p->lo, p->c->gram_bytes);
        clear(p, layer);
        QZ_TRY(run_windows(p, layer, p->hi == all));
        QZ_TRY(write_layer(p, layer));
    }
    if (!observed) QZ_TRY(run_windows(p, layer, true));
    qz_engine_observe(p->e, NULL, NULL);
    if (!observed) return QZ_OK;
    QZ_TRY(qz_out_flush(&p->out, p->err));
    return qz_journal_add(&p->journal, p->err, "layer %zu %llu", layer, (unsigned long long)p->out.size);
}

/* The output matrix sees the final norm of the last hidden states. */
static qz_status run_head(pass *p) {
    size_t seq = p->c->seq_len, step = chunk_windows(seq), hidden = p->info.in.wide[QZ_WIDE_HIDDEN];
    size_t cap = step * seq;
    float *h = qz_alloc_aligned(cap * hidden, sizeof *h);
    if (h == NULL) return qz_fail(p->err, QZ_EMEMORY, "out of memory calibrating the output matrix");
    p->lo = 0, p->hi = 1;
    clear(p, p->info.in.layers);
    for (size_t w = 0; w < p->c->windows && p->observed == QZ_OK; w += step) {
        size_t n = qz_min_size(step, p->c->windows - w) * seq;
        qz_engine_final_norm(p->e, p->hidden + w * seq * hidden, n, h);
        gather(p, 0, h, n, hidden);
    }
    qz_free(h);
    QZ_TRY(p->observed);
    return write_layer(p, p->info.in.layers);
}

/* Of the inputs that a pass gathers the widest at each place of any pass (qz_free), and their most; NULL: no memory. */
static size_t *place_widths(const qz_input_widths *w, uint64_t most, size_t *n) {
    size_t room = 1;
    *n = 0;
    for (size_t l = 0; l < w->layers; l++) room = qz_max_size(room, qz_inputs(w, l));
    size_t *cols = qz_calloc_array(room, sizeof *cols);
    for (size_t l = 0; cols && l <= w->layers; l++)
        for (size_t lo = 0, hi; lo < qz_inputs(w, l); lo = hi) {
            hi = inputs_end(w, l, lo, most);
            *n = qz_max_size(*n, hi - lo);
            for (size_t i = lo; i < hi; i++) cols[i - lo] = qz_max_size(cols[i - lo], qz_input_at(w, l, i).cols);
        }
    return cols;
}
/* Floats of a chunk of windows' hidden states. */
static size_t chunk_floats(const qz_input_widths *w, size_t windows, size_t seq_len) {
    return qz_min_size(windows, chunk_windows(seq_len)) * seq_len * (size_t)w->wide[QZ_WIDE_HIDDEN];
}

static qz_status reserve(pass *p) {
    size_t n, rows = p->c->windows * p->c->seq_len, widest = 0;
    bool ok = qz_mul_size(rows, p->info.in.wide[QZ_WIDE_HIDDEN], &n);
    p->hidden = ok ? qz_alloc_aligned(n, sizeof *p->hidden) : NULL;
    const uint64_t most = p->c->gram_bytes;
    size_t *width = place_widths(&p->info.in, most, &p->n_inputs);
    p->copy = most ? qz_alloc_aligned(chunk_floats(&p->info.in, p->c->windows, p->c->seq_len), sizeof *p->copy) : NULL;
    p->input = qz_calloc_array(p->n_inputs, sizeof *p->input);
    ok = p->hidden && p->input && width && (most == 0 || p->copy);
    for (size_t i = 0; i < p->n_inputs && ok; i++) {
        size_t cols = width[i], sq;
        moments *m = &p->input[i];
        widest = qz_max_size(widest, cols);
        ok = qz_mul_size(cols, cols, &sq);
        m->gram = ok ? qz_alloc_aligned(sq, sizeof(double)) : NULL;
        m->sum_abs = qz_alloc_aligned(cols, sizeof(double));
        m->max_abs = qz_alloc_aligned(cols, sizeof(float));
        m->held = qz_alloc_aligned(cols * (p->info.held ? p->info.held : 1), sizeof *m->held);
        ok = m->gram && m->sum_abs && m->max_abs && m->held;
    }
    qz_free(width);
    p->row = qz_alloc_aligned(widest, sizeof *p->row);
    p->offsets = qz_alloc_array(qz_stats_sections(&p->info.in), sizeof *p->offsets);
    if (ok && p->row && p->offsets) return QZ_OK;
    return qz_fail(p->err, QZ_EMEMORY, "out of memory for calibration of %zu tokens; use fewer --samples", rows);
}

static qz_status ended(const char *path, const char *ending, qz_str *out, qz_error *err) {
    qz_str_printf(out, "%s%s", path, ending);
    return out->failed ? qz_fail(err, QZ_EMEMORY, "out of memory") : QZ_OK;
}

/* A job killed before its first bytes were on disk has nothing to go on from: it begins anew. */
static qz_status drop_short(pass *p, const char *partial, const char *journal, size_t head) {
    uint64_t size = 0;
    if (p->journal.n == 0 ||
        (qz_path_exists(partial) && qz_file_size(partial, &size, &(qz_error){0}) == QZ_OK && size >= head))
        return QZ_OK;
    qz_journal_close(&p->journal, true);
    return qz_journal_open(&p->journal, journal, true, p->err);
}

/* Statistics that nobody asked for by name are no reason to stop: another job's pass is not gone on with. */
static qz_status drop_foreign(pass *p, const char *path, const char *journal, const char *sha) {
    if (p->journal.n == 0 || strcmp(p->journal.lines[0], sha) == 0) return QZ_OK;
    qz_info(p->run,
            "calibration starts anew: '%s.partial' is of other data or settings, left by a killed job, and is replaced",
            path);
    qz_journal_close(&p->journal, true);
    return qz_journal_open(&p->journal, journal, true, p->err);
}

/* What stands under the final name got it after its last byte was on disk: the header says whose it is. */
static qz_status look(pass *p, const char *path, const qz_str *head, bool *finished) {
    qz_map m = {0};
    QZ_TRY(qz_map_open(&m, path, p->err));
    *finished = m.size == p->total && m.size >= head->len && memcmp(m.ptr, head->ptr, head->len) == 0;
    qz_map_release(&m);
    if (*finished || p->c->replace) return QZ_OK;
    return qz_fail(p->err, QZ_EUSAGE,
                   "output exists and is not what this job writes: '%s': expected statistics of this data, these "
                   "settings and weights; choose another output, or give "
                   "--force to replace it",
                   path);
}

/* Finds how many layers an interrupted run has finished; a journal of other data or settings is an error. */
static qz_status finished_layers(const pass *p, const char *path, const char *sha, size_t *done, uint64_t *at) {
    if (strcmp(p->journal.lines[0], sha) != 0)
        return qz_fail(p->err, QZ_EUSAGE,
                       "cannot resume '%s': it was started with other data or settings; run without --resume", path);
    for (size_t i = 1; i < p->journal.n; i++) {
        unsigned long long end = 0;
        size_t layer = 0;
        if (sscanf(p->journal.lines[i], "layer %zu %llu", &layer, &end) == 2 && layer == *done) {
            *done = layer + 1;
            *at = end;
        }
    }
    return QZ_OK;
}

static qz_status begin(pass *p, const char *path, const char *partial, const qz_str *head) {
    char sha[65];
    qz_sha256_bytes_hex(head->ptr, head->len, sha);
    QZ_TRY(qz_journal_add(&p->journal, p->err, "%s", sha));
    if (!qz_path_is_link(partial) && qz_path_is_dir(partial)) { /* a file is replaced by qz_out_open */
        QZ_TRY(qz_remove_tree(partial, p->err));
        qz_info(p->run, "'%s' is removed: a killed job has left it", partial);
    }
    QZ_TRY(qz_out_open(&p->out, path, p->err));
    return qz_out_write(&p->out, head->ptr, head->len, p->err);
}

/* Opens the output behind what an interrupted run has finished: all of it, some layers or nothing. */
static qz_status start(pass *p, const char *path, size_t *done, bool *finished) {
    qz_str head = {0}, journal = {0}, partial = {0};
    uint64_t at = 0;
    qz_status st = qz_stats_header(&p->info, &head, p->offsets, &p->total, p->err);
    char sha[65];
    if (st != QZ_OK) goto out;
    qz_sha256_bytes_hex(head.ptr, head.len, sha);
    at = head.len;
    QZ_GOTO(ended(path, ".partial.journal", &journal, p->err));
    QZ_GOTO(ended(path, ".partial", &partial, p->err));
    if (p->c->resume && qz_path_exists(path)) QZ_GOTO(look(p, path, &head, finished));
    if (*finished) { /* killed after the rename */
        if (qz_path_exists(partial.ptr)) QZ_GOTO(qz_remove_tree(partial.ptr, p->err));
        st = qz_remove_tree(journal.ptr, p->err);
        goto out;
    }
    QZ_GOTO(qz_disk_check(path, p->total, p->err));
    QZ_GOTO(qz_journal_open(&p->journal, journal.ptr, !p->c->resume, p->err));
    if (p->c->own) QZ_GOTO(drop_foreign(p, path, journal.ptr, sha));
    QZ_GOTO(drop_short(p, partial.ptr, journal.ptr, at));
    if (p->journal.n == 0) st = begin(p, path, partial.ptr, &head);
    else {
        QZ_GOTO(finished_layers(p, path, sha, done, &at));
        st = qz_out_resume(&p->out, path, at, p->err);
    }
out:
    qz_str_release(&head);
    qz_str_release(&journal);
    qz_str_release(&partial);
    return st;
}

static void pass_release(pass *p, bool done) {
    for (size_t i = 0; p->input && i < p->n_inputs; i++) {
        qz_free(p->input[i].gram);
        qz_free(p->input[i].sum_abs);
        qz_free(p->input[i].max_abs);
        qz_free(p->input[i].held);
    }
    qz_free(p->input);
    qz_free(p->hidden);
    qz_free(p->copy);
    qz_free(p->row);
    qz_free(p->offsets);
    qz_out_abort(&p->out, true);
    qz_journal_close(&p->journal, done);
}

qz_status qz_calibrate(qz_run *run, qz_engine *e, const qz_calibration *c, const char *path, bool *finished,
                       qz_error *err) {
    const qz_config *m = &qz_engine_model(e)->config;
    if (c->windows == 0 || c->seq_len == 0)
        return qz_fail(err, QZ_EUSAGE, "calibration data is empty: expected at least one window of %zu tokens",
                       c->seq_len);
    pass p = {.run = run, .e = e, .c = c, .info = c->about, .err = err, .out = {.fd = -1}, .journal = {.fd = -1}};
    qz_input_widths_of(m, &p.info.in);
    p.info.windows = c->windows;
    p.info.seq_len = c->seq_len;
    p.info.tokens = (uint64_t)c->windows * c->seq_len;
    const held_tokens held = held_of(c);
    p.info.held = held.windows * held.take;
    size_t done = 0;
    *finished = false;
    qz_status st = reserve(&p);
    if (st == QZ_OK) st = start(&p, path, &done, finished);
    if (st != QZ_OK || *finished) {
        pass_release(&p, false);
        return st;
    }
    st = qz_engine_embed(e, c->ids, c->windows * c->seq_len, c->seq_len, p.hidden, err);
    qz_progress_begin(run);
    for (size_t l = 0; l < m->layers && st == QZ_OK; l++) st = run_layer(&p, l, l >= done);
    qz_engine_observe(e, NULL, NULL);
    if (st == QZ_OK) st = run_head(&p);
    qz_progress_end(run);
    if (st == QZ_OK) st = qz_out_zeros(&p.out, (size_t)(p.total - p.out.size), err);
    if (st == QZ_OK) st = qz_out_commit(&p.out, NULL, err);
    pass_release(&p, st == QZ_OK);
    return st;
}

uint64_t qz_calibrate_bytes(const qz_config *c, size_t windows, size_t seq_len, uint64_t gram_bytes) {
    uint64_t h = c->hidden_size, grams = 0, states = 4u * (uint64_t)windows * seq_len * h;
    qz_input_widths w;
    qz_input_widths_of(c, &w);
    size_t n, *width = place_widths(&w, gram_bytes, &n);
    for (size_t i = 0; width && i < n; i++) grams += (8 * (uint64_t)width[i] + 2 * QZ_HELD_MOST) * width[i];
    qz_free(width);
    uint64_t chunk = 4u * chunk_windows(seq_len) * seq_len *
                     (qz_step_floats(c) + (c->experts ? 2 * h + c->experts : 0));
    return grams + states + chunk + qz_engine_lent_bytes(c, windows, seq_len) +
           (gram_bytes ? 4u * chunk_floats(&w, windows, seq_len) : 0);
}

size_t qz_calibrate_passes(const qz_config *c, uint64_t gram_bytes) {
    qz_input_widths w;
    size_t most = 0;
    qz_input_widths_of(c, &w);
    for (size_t l = 0; l < w.layers; l++) most = qz_max_size(most, passes_of(&w, l, gram_bytes));
    return most;
}
