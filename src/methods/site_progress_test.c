/* Progress of a layer with experts: each expert's linears say a line, rows never go back, and the tensors that are
 * written behind a layer count as that layer. Outside truth: rows by hand. */
#include "methods/site_progress.h"
#include "base/io.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

/* What a second later is said. */
static void line(qz_run *run, char out[512]) {
    rewind(run->log);
    memset(out, 0, 512);
    const size_t n = fread(out, 1, 511, run->log);
    out[n] = 0;
    rewind(run->log);
}
static void later(qz_run *run) { run->progress_last = qz_now() - 2; }

static void has(const char *text, const char *part) {
    if (!strstr(text, part)) fail_msg("expected '%s' in '%s'", part, text);
}

static void expert_by_expert(void **state) {
    qz_awq_block self = {.linear = {[0] = {.name = "attn", .rows = 100}}},
                 expert = {.linear = {[1] = {.name = "gate", .rows = 6}, [2] = {.name = "up", .rows = 6},
                                      [3] = {.name = "down", .rows = 10}}};
    self.input[0] = (qz_awq_input){.first = 0, .n = 1};
    expert.input[1] = (qz_awq_input){.first = 1, .n = 2};
    expert.input[2] = (qz_awq_input){.first = 3, .n = 1};
    qz_run run = {.log = tmpfile(), .progress_json = true};
    qz_site_at at = {.scheme = "gptq", .layers = 4, .self = &self, .expert = &expert, .experts = 5, .at = -1};
    char text[512];
    (void)state;
    assert_non_null(run.log);
    qz_progress_begin(&run);
    const struct { long expert; size_t input; const char *stage, *done; } rows[] = {
        {-1, 0, "\"gptq attn\"", "\"done\":0,\"total\":210"},
        {0, 1, "\"gptq gate, expert 1 of 5\"", "\"done\":100,\"total\":210"},
        {4, 1, "\"gptq gate, expert 5 of 5\"", "\"done\":148,\"total\":210"},
        {0, 2, "\"gptq down, expert 1 of 5\"", "\"done\":160,\"total\":210"},
        {4, 2, "\"gptq down, expert 5 of 5\"", "\"done\":200,\"total\":210"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        at.at = rows[i].expert;
        later(&run);
        qz_site_progress(&run, &at, rows[i].input);
        line(&run, text);
        has(text, rows[i].stage);
        has(text, rows[i].done);
    }
    at.at = 2;
    later(&run);
    qz_site_progress_scales(&run, &at);
    line(&run, text);
    has(text, "\"gptq scales, expert 3 of 5\"");
    /* 20 s for a layer of four: 60 s are left, however few of the tensors are written */
    run.progress_start = qz_now() - 20;
    later(&run);
    qz_progress_at(&run, &(qz_progress){.stage = "gptq", .unit = "tensors", .done = 2, .total = 1575, .whole = true,
                                        .layer = 1, .layers = 4});
    line(&run, text);
    has(text, "\"eta_s\":60.");
    (void)fclose(run.log);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(expert_by_expert)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
