#include "pipeline/bench.h"
#include "base/io.h"
#include "base/size.h"
#include "produce/catalog.h"
#include "pipeline/evaluate.h"
#include "artifacts/source.h"
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const char default_prompt[] = "Convert temperature.\n\n75 F"; /* C-104 */

static qz_status bench_ids(const qz_source *s, const qz_request *r, qz_ids *ids, qz_error *err) {
    const char *text = r->prompt ? r->prompt : default_prompt;
    if (s->tokenizer) return qz_tokenizer_encode(s->tokenizer, text, strlen(text), QZ_ENCODE_PARSE_SPECIAL, ids, err);
    for (uint32_t i = 0; i < 6; i++) QZ_TRY(qz_ids_push(ids, i + 1, err));
    return QZ_OK;
}

static qz_status measure(qz_run *run, const qz_request *r, const char *path, qz_bench *out, qz_error *err) {
    qz_source s = {0};
    qz_engine *e = NULL;
    qz_ids ids = {0};
    qz_arith arith = QZ_ARITH_RUNTIME;
    double start = qz_now();
    if (strcmp(r->verb, "bench") == 0) QZ_TRY(qz_arith_parse(r->arith, &arith, err));
    qz_status st = qz_source_open(run, path, &s, err);
    if (st == QZ_OK) st = qz_engine_open(run, s.model, &(qz_engine_options){.arith = arith}, &e, err);
    out->load_seconds = qz_now() - start;
    if (st == QZ_OK) st = bench_ids(&s, r, &ids, err);
    size_t new_tokens = r->max_new ? (size_t)r->max_new : 100, pp = r->window ? (size_t)r->window : 512;
    if (strcmp(r->verb, "bench") != 0) new_tokens = 100, pp = 512;
    struct rusage before = {0}, after = {0};
    const double began = qz_now();
    (void)getrusage(RUSAGE_SELF, &before);
    if (getloadavg(&out->load_average, 1) != 1) out->load_average = 0;
    if (st == QZ_OK)
        st = qz_latency_run(run, e, &(qz_latency_options){ids.ids, ids.n, pp, new_tokens, (size_t)r->repeats},
                            &out->speed, err);
    if (getrusage(RUSAGE_SELF, &after) == 0)
        out->switches = (double)(after.ru_nivcsw - before.ru_nivcsw) / (qz_now() - began);
    /* an idle machine: below 20; beside one busy loop: 100 and more */
    out->loaded = after.ru_nivcsw - before.ru_nivcsw > 20 && out->switches > 60;
    if (st == QZ_OK) {
        out->engine_bytes = qz_engine_bytes(e);
        (void)snprintf(out->kernel, sizeof out->kernel, "%s", qz_engine_kernel(e));
        (void)snprintf(out->cpu, sizeof out->cpu, "%s",
                       qz_cpu_name(run->cpu < qz_cpu_detect() ? run->cpu : qz_cpu_detect()));
        out->peak_rss = qz_peak_rss();
    }
    qz_engine_free(e);
    qz_ids_release(&ids);
    qz_source_release(&s);
    return st;
}

typedef struct { qz_status st; qz_error err; qz_bench bench; } reply;

static bool move_all(int fd, void *p, size_t n, bool write_it) {
    for (size_t at = 0; at < n;) {
        ssize_t k = write_it ? write(fd, (char *)p + at, n - at) : read(fd, (char *)p + at, n - at);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return false;
        at += (size_t)k;
    }
    return true;
}

static void child(const qz_request *r, const char *path, int fd) {
    reply a = {0};
    qz_run run;
    qz_peak_rss_reset();
    a.st = qz_run_init(&run, (size_t)r->threads, &a.err);
    if (a.st == QZ_OK) {
        run.quiet = true;
        run.log = NULL; /* the parent has opened it once and said what there is to say */
        run.accept = r->accept;
        if (r->cpu)
            run.cpu = strcmp(r->cpu, "ref") == 0    ? QZ_CPU_REF
                      : strcmp(r->cpu, "avx2") == 0 ? QZ_CPU_AVX2
                                                    : QZ_CPU_AVX512;
        a.st = measure(&run, r, path, &a.bench, &a.err);
        qz_run_release(&run);
    }
    (void)move_all(fd, &a, sizeof a, true);
    _exit(0);
}

/* vfork-free: the child gets no threads of the parent's pool and starts its own. */
qz_status qz_bench_run(const qz_request *r, const char *path, qz_bench *out, qz_error *err) {
    int fd[2];
    (void)fflush(stdout);
    (void)fflush(stderr);
    if (pipe(fd) != 0) return qz_fail(err, QZ_EIO, "cannot start the bench: %s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0) {
        (void)close(fd[0]);
        (void)close(fd[1]);
        return qz_fail(err, QZ_EIO, "cannot start the bench: %s", strerror(errno));
    }
    if (pid == 0) {
        (void)close(fd[0]);
        child(r, path, fd[1]);
    }
    (void)close(fd[1]);
    reply *a = qz_calloc_array(1, sizeof *a);
    bool got = a && move_all(fd[0], a, sizeof *a, false);
    (void)close(fd[0]);
    int status;
    (void)waitpid(pid, &status, 0);
    qz_status st = QZ_OK;
    if (!got) st = qz_fail(err, QZ_EIO, "bench of '%s' ended without a result (out of memory?)", path);
    else if (a->st != QZ_OK) st = qz_fail(err, a->st, "%s", a->err.text);
    else *out = a->bench;
    qz_free(a);
    return st;
}

void qz_environment(const qz_run *run, char *out, size_t n) {
    char model[96] = "unknown CPU", *text = NULL;
    FILE *f = fopen("/proc/cpuinfo", "r"); /* a pseudo file has no size: read by line */
    char line[256];
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, "model name", 10) == 0 && (text = strchr(line, ':')) != NULL) {
            (void)snprintf(model, sizeof model, "%.*s", (int)strcspn(text + 2, "\n"), text + 2);
            break;
        }
    }
    if (f) (void)fclose(f);
    uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    qz_cpu_level level = run->cpu < qz_cpu_detect() ? run->cpu : qz_cpu_detect();
    (void)snprintf(out, n, "%s, %zu threads, kernels %s, %.1f GiB, quantz %s", model, qz_pool_size(run->pool),
                   qz_cpu_name(level), (double)ram / 1073741824.0, qz_catalog_version());
}
