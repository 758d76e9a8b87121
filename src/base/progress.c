#include "base/run.h"
#include "base/io.h"
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
}
void qz_progress_step(qz_run *run, const char *stage, uint64_t done, uint64_t total, const char *unit) {
    if (run == NULL || run->quiet) return;
    double now = qz_now(), spent = now - run->progress_start;
    if (run->hook && run->hook->progress && (done == total || now - run->progress_last >= 0.1)) {
        run->progress_last = now;
        run->hook->progress(run->hook->arg, stage, done, total, unit);
    }
    if (run->log == NULL || !run->tty) return;
    if (spent < 1.0 || now - run->progress_last < 0.2) return;
    run->progress_last = now;
    double rate = (double)done / spent;
    double eta = done ? (double)(total - done) / rate : 0.0;
    (void)fprintf(run->log, "\r\033[K%s  %llu/%llu %s  %.1f %s/s  %.0f s elapsed", stage, (unsigned long long)done,
                  (unsigned long long)total, unit, rate, unit, spent);
    if (done) (void)fprintf(run->log, "  ETA %.0f s", eta);
    (void)fflush(run->log);
}
void qz_progress_end(qz_run *run) {
    if (run == NULL || run->log == NULL || run->quiet || !run->tty) return;
    (void)fputs("\r\033[K", run->log);
    (void)fflush(run->log);
}
