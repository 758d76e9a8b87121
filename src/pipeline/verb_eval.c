#include "base/io.h"
#include "base/size.h"
#include "pipeline/evaluate.h"
#include "pipeline/verbs.h"
#include "report/table_print.h"
#include <string.h>

qz_status qz_run_eval_verb(qz_run *run, const qz_request *r, qz_error *err) {
    if (r->text == NULL && r->tasks == NULL)
        return qz_fail(err, QZ_EUSAGE, "nothing to evaluate: give --text FILE, --tasks FILE or both");
    if (r->task_log && r->tasks == NULL) return qz_fail(err, QZ_EUSAGE, "--task-log needs --tasks FILE");
    if (r->task_log && !r->force && qz_path_exists(r->task_log))
        return qz_fail(err, QZ_EUSAGE, "log exists: file '%s'; replace it with --force", r->task_log);
    qz_measured *m = qz_calloc_array(r->n_operands + 1, sizeof *m);
    if (m == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_str text = {0};
    size_t n = 0;
    qz_eval_facts facts = {0};
    qz_status st = qz_evaluate(run, r, &(qz_compared){r->against, (const char *const *)r->operands, r->n_operands}, m,
                               &n, &facts, err);
    if (st == QZ_OK && r->task_log)
        st = qz_write_file(r->task_log, facts.task_log.ptr ? facts.task_log.ptr : "", facts.task_log.len, err);
    if (st == QZ_OK && r->json) st = qz_evaluate_json(m, n, &facts, &text, err);
    else if (st == QZ_OK) {
        if (facts.set[0])
            qz_str_printf(&text, "protocol %s; token hash %.12s; arithmetic %s\n", facts.set, facts.token_hash,
                          strcmp(facts.arith, QZ_ARITH_BOTH) == 0 ? "exact, and the runtime's KL beside it"
                                                                  : facts.arith);
        for (size_t i = 0; i < facts.n_adapters; i++)
            qz_str_printf(&text, "adapter %s beside every model\n", facts.adapters[i]);
        for (size_t i = 0; i < n; i++) qz_measured_print(&m[i], &text);
    }
    if (st == QZ_OK) st = r->json ? qz_show(&text, err) : qz_show_text(&text, err);
    for (size_t i = 0; i < n; i++) qz_measured_release(&m[i]);
    qz_free(m);
    qz_str_release(&text);
    qz_str_release(&facts.task_log);
    return st;
}
