#include "base/io.h"
#include "pipeline/bench.h"
#include "artifacts/source.h"
#include "pipeline/verbs.h"
#include "report/measured.h"
#include "report/table_print.h"
#include <stdio.h>
#include <string.h>

/* How the kernel lets the clock run; false: the machine does not say. */
static bool governor(char *out, size_t n) {
    FILE *f = fopen("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "r"); /* a pseudo file has no size */
    const bool got = f && fgets(out, (int)n, f);
    if (f) (void)fclose(f);
    if (got) out[strcspn(out, "\n")] = 0;
    return got;
}

qz_status qz_run_bench_verb(qz_run *run, const qz_request *r, qz_error *err) {
    qz_arena arena = {0};
    qz_table t;
    qz_str out = {0};
    qz_json_writer w;
    char env[256], clock[64];
    const bool known = governor(clock, sizeof clock);
    double bandwidth = qz_memory_bandwidth(run, (size_t)512 << 20, 6);
    qz_environment(run, env, sizeof env);
    qz_status st = qz_bench_table(&arena, &t, err);
    qz_bench_json_begin(&w, &(qz_bench_facts){env, known ? clock : NULL, qz_pool_size(run->pool), bandwidth}, &out);
    for (size_t i = 0; i < r->n_operands && st == QZ_OK; i++) {
        qz_source s = {0};
        qz_bench b;
        st =
            qz_bench_run(r, r->operands[i], &b, err); /* first: a model opened here would count in the child's memory */
        if (st == QZ_OK) st = qz_source_open(run, r->operands[i], &s, err);
        if (st == QZ_OK && b.loaded)
            qz_warn(run,
                    "%s was measured under load: load average %.1f before, %.0f involuntary context switches a second; "
                    "figures of an idle machine "
                    "are higher",
                    s.name, b.load_average, b.switches);
        if (st == QZ_OK) st = qz_bench_row(&t, s.name, s.model, &b, bandwidth, err);
        if (st == QZ_OK) qz_bench_json_row(&w, s.name, s.model, &b, bandwidth);
        qz_source_release(&s);
    }
    qz_bench_json_end(&w);
    if (st == QZ_OK) {
        qz_info(run, "%s; clock governor: %s", env, known ? clock : "unknown");
        qz_info(run, "memory bandwidth %.1f GB/s (read, all threads); prompt: %llu tokens; medians of %llu repeats",
                bandwidth, (unsigned long long)r->window, (unsigned long long)r->repeats);
        st = r->json ? qz_show(&out, err) : qz_table_show(&t, false, err);
    }
    qz_str_release(&out);
    qz_arena_release(&arena);
    return st;
}
