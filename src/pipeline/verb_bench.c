#include "base/io.h"
#include "pipeline/bench.h"
#include "artifacts/source.h"
#include "pipeline/verbs.h"
#include "report/table_print.h"

qz_status qz_run_bench_verb(qz_run *run, const qz_request *r, qz_error *err) {
    qz_arena arena = {0};
    qz_table t;
    char env[256];
    double bandwidth = qz_memory_bandwidth(run, (size_t)512 << 20, 6);
    qz_environment(run, env, sizeof env);
    qz_status st = qz_bench_table(r->json, &arena, &t, err);
    for (size_t i = 0; i < r->n_operands && st == QZ_OK; i++) {
        qz_source s = {0};
        qz_bench b;
        st = qz_bench_run(r, r->operands[i], &b, err); /* first: a model opened here would count in the child's memory */
        if (st == QZ_OK) st = qz_source_open(run, r->operands[i], &s, err);
        if (st == QZ_OK && b.loaded)
            qz_warn(run, "%s was measured under load: load average %.1f before, %.0f involuntary context switches a second; figures of an idle machine "
                    "are higher",
                    s.name, b.load_average, b.switches);
        if (st == QZ_OK) st = qz_bench_row(&t, r->json, s.name, s.model, &b, bandwidth, err);
        qz_source_release(&s);
    }
    if (st == QZ_OK) {
        qz_info(run, "%s", env);
        qz_info(run, "memory bandwidth %.1f GB/s (read, all threads); prompt: %llu tokens; medians of %llu repeats", bandwidth,
                (unsigned long long)r->window, (unsigned long long)r->repeats);
        st = qz_table_show(&t, r->json, err);
    }
    qz_arena_release(&arena);
    return st;
}
