#include "base/run.h"
#include "base/io.h"
#include "base/json_write.h"
#include <stdarg.h>
#include <unistd.h>

qz_status qz_run_init(qz_run *run, size_t threads, qz_error *err) {
    *run = (qz_run){.log = stderr, .tty = isatty(STDERR_FILENO) != 0, .cpu = QZ_CPU_AVX512, .seed = 1};
    return qz_pool_open(&run->pool, threads, err);
}
void qz_run_release(qz_run *run) {
    qz_pool_free(run->pool);
    *run = (qz_run){0};
}

static void hook_line(const qz_run *run, bool warning, const char *fmt, va_list ap) {
    char text[1024];
    if (run->hook == NULL || run->hook->line == NULL) return;
    (void)vsnprintf(text, sizeof text, fmt, ap);
    run->hook->line(run->hook->arg, warning, text);
}
static void line(qz_run *run, const char *prefix, const char *fmt, va_list ap) {
    if (run->tty) (void)fputs("\r\033[K", run->log);
    (void)fputs(prefix, run->log);
    (void)vfprintf(run->log, fmt, ap);
    (void)fputc('\n', run->log);
}
static void vinfo(qz_run *run, const char *fmt, va_list ap) {
    va_list again;
    if (run->quiet) return;
    va_copy(again, ap);
    hook_line(run, false, fmt, again);
    va_end(again);
    if (run->log) line(run, "", fmt, ap);
}
static void vwarn(qz_run *run, const char *fmt, va_list ap) {
    va_list again;
    run->warnings++;
    va_copy(again, ap);
    hook_line(run, true, fmt, again);
    va_end(again);
    if (run->log) line(run, "quantz: warning: ", fmt, ap);
}

/* True for a line that was said before; otherwise it is kept. */
static bool said(qz_run *run, const char *fmt, va_list ap) {
    char text[1024];
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    (void)vsnprintf(text, sizeof text, fmt, ap);
    for (const char *c = text; *c; c++) h = (h ^ (unsigned char)*c) * 0x100000001b3u;
    for (size_t i = 0; i < run->n_said; i++)
        if (run->said[i] == h) return true;
    if (run->n_said < sizeof run->said / sizeof run->said[0]) run->said[run->n_said++] = h;
    return false;
}

void qz_info(qz_run *run, const char *fmt, ...) {
    va_list ap;
    if (run == NULL) return;
    va_start(ap, fmt);
    vinfo(run, fmt, ap);
    va_end(ap);
}
void qz_warn(qz_run *run, const char *fmt, ...) {
    va_list ap;
    if (run == NULL) return;
    va_start(ap, fmt);
    vwarn(run, fmt, ap);
    va_end(ap);
}
void qz_info_once(qz_run *run, const char *fmt, ...) {
    va_list ap;
    if (run == NULL) return;
    va_start(ap, fmt);
    const bool before = said(run, fmt, ap);
    va_end(ap);
    if (before) return;
    va_start(ap, fmt);
    vinfo(run, fmt, ap);
    va_end(ap);
}
void qz_warn_once(qz_run *run, const char *fmt, ...) {
    va_list ap;
    if (run == NULL) return;
    va_start(ap, fmt);
    const bool before = said(run, fmt, ap);
    va_end(ap);
    if (before) return;
    va_start(ap, fmt);
    vwarn(run, fmt, ap);
    va_end(ap);
}

void qz_progress_begin(qz_run *run) {
    if (run == NULL) return;
    run->progress_start = run->progress_last = qz_now();
    run->progress_by_layer = false;
}
/* ---- where a stage stands ---- */
typedef struct {
    uint64_t done, total;
    double spent, rate, eta;
    const char *per;
} standing; /* over all layers; eta < 0: unknown */
static standing stand(const qz_progress *p, double spent, bool by_layer) {
    const uint64_t times = p->layers && !p->whole ? p->layers : 1,
                   before = times > 1 && p->layer ? (p->layer - 1) * p->total : 0;
    standing s = {.done = before + p->done, .total = times * p->total, .spent = spent, .eta = -1};
    s.per = p->tokens ? "tokens" : p->unit;
    s.rate = spent > 0 ? (double)(p->tokens ? p->tokens : s.done) / spent : 0;
    /* tensors of a layer follow when the layer is coded: 2 of 1575 may be a quarter of the work */
    const bool layers = p->whole && by_layer && p->layer && s.done < s.total;
    const uint64_t done = layers ? p->layer : s.done, total = layers ? p->layers : s.total;
    if (done && total >= done) s.eta = spent * (double)(total - done) / (double)done;
    return s;
}
static void say_json(qz_run *run, const qz_progress *p, const standing *s) {
    qz_str text = {0};
    qz_json_writer w = {.out = &text};
    qz_jw_open(&w, NULL, '{');
    qz_jw_text(&w, "progress", p->stage);
    if (p->layers) {
        qz_jw_count(&w, "layer", p->layer);
        qz_jw_count(&w, "layers", p->layers);
    }
    qz_jw_count(&w, "done", p->done);
    qz_jw_count(&w, "total", p->total);
    qz_jw_text(&w, "unit", p->unit);
    qz_jw_real(&w, "elapsed_s", s->spent);
    if (p->tokens) {
        qz_jw_count(&w, "tokens", p->tokens);
        qz_jw_real(&w, "tokens_per_s", s->rate);
    }
    if (s->eta >= 0) qz_jw_real(&w, "eta_s", s->eta);
    qz_jw_end(&w);
    if (!text.failed) (void)fputs(text.ptr, run->log);
    (void)fflush(run->log);
    qz_str_release(&text);
}
static void say_line(qz_run *run, const qz_progress *p, const standing *s) {
    (void)fprintf(run->log, "\r\033[K%s  ", p->stage);
    if (p->layers && p->layer)
        (void)fprintf(run->log, "layer %llu/%llu, ", (unsigned long long)p->layer, (unsigned long long)p->layers);
    (void)fprintf(run->log, "%llu/%llu %s  %.1f %s/s  %.0f s elapsed", (unsigned long long)p->done,
                  (unsigned long long)p->total, p->unit, s->rate, s->per, s->spent);
    if (s->eta >= 0) (void)fprintf(run->log, "  ETA %.0f s", s->eta);
    (void)fflush(run->log);
}

void qz_progress_at(qz_run *run, const qz_progress *p) {
    if (run == NULL || (run->quiet && !run->progress_json)) return;
    const double now = qz_now();
    run->progress_by_layer |= p->layers && !p->whole;
    const standing s = stand(p, now - run->progress_start, run->progress_by_layer);
    const bool end = s.done == s.total;
    if (!run->quiet && run->hook && run->hook->progress && (end || now - run->progress_last >= 0.1)) {
        run->progress_last = now;
        run->hook->progress(run->hook->arg, p->stage, s.done, s.total, p->unit);
    }
    if (run->log == NULL) return;
    if (run->progress_json) {
        if (!end && now - run->progress_last < 1) return;
        run->progress_last = now;
        say_json(run, p, &s);
    } else if (run->tty && s.spent >= 1 && now - run->progress_last >= 0.2) {
        run->progress_last = now;
        say_line(run, p, &s);
    }
}
void qz_progress_step(qz_run *run, const char *stage, uint64_t done, uint64_t total, const char *unit) {
    qz_progress_at(run, &(qz_progress){.stage = stage, .unit = unit, .done = done, .total = total});
}
void qz_progress_end(qz_run *run) {
    if (run == NULL || run->log == NULL || run->quiet || !run->tty || run->progress_json) return;
    (void)fputs("\r\033[K", run->log);
    (void)fflush(run->log);
}
