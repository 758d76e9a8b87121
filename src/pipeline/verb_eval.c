#include "base/io.h"
#include "base/size.h"
#include "pipeline/evaluate.h"
#include "pipeline/others.h"
#include "pipeline/served.h"
#include "pipeline/verbs.h"
#include "report/others_print.h"
#include "report/table_print.h"
#include <string.h>

static qz_status text_of(const qz_measured *m, size_t n, const qz_eval_facts *facts, qz_str *text, qz_error *err) {
    if (facts->set[0])
        qz_str_printf(text, "protocol %s; token hash %.12s; arithmetic %s\n", facts->set, facts->token_hash,
                      strcmp(facts->arith, QZ_ARITH_BOTH) == 0 ? "exact, and the runtime's KL beside it"
                                                              : facts->arith);
    for (size_t i = 0; i < facts->n_adapters; i++)
        qz_str_printf(text, "adapter %s beside every model\n", facts->adapters[i]);
    for (size_t i = 0; i < n; i++) qz_measured_print(&m[i], text);
    return facts->uploads ? qz_others_print(m, n, facts->uploads, text, err) : QZ_OK;
}

static qz_status evaluate(qz_run *run, const qz_request *r, const qz_others *others, qz_str *text, qz_error *err) {
    const size_t all = r->n_operands + others->n;
    qz_measured *m = qz_calloc_array(all + 1, sizeof *m);
    const char **paths = qz_alloc_array(all + 1, sizeof *paths);
    size_t n = 0;
    qz_eval_facts facts = {0};
    for (size_t i = 0; paths && i < all; i++)
        paths[i] = i < r->n_operands ? r->operands[i] : others->paths[i - r->n_operands];
    qz_status st = m && paths ? qz_evaluate(run, r, &(qz_compared){r->against, paths, all}, m, &n, &facts, err)
                              : qz_fail(err, QZ_EMEMORY, "out of memory");
    if (st == QZ_OK && r->others.n) {
        qz_others_tell(others, m, n);
        facts.uploads = &others->said;
    }
    if (st == QZ_OK && r->task_log)
        st = qz_write_file(r->task_log, facts.task_log.ptr ? facts.task_log.ptr : "", facts.task_log.len, err);
    if (st == QZ_OK) st = r->json ? qz_evaluate_json(m, n, &facts, text, err) : text_of(m, n, &facts, text, err);
    for (size_t i = 0; i < n; i++) qz_measured_release(&m[i]);
    qz_free(m);
    qz_free(paths);
    qz_str_release(&facts.task_log);
    return st;
}

qz_status qz_run_eval_verb(qz_run *run, const qz_request *r, qz_error *err) {
    if (r->runtime && !r->text && !r->tasks && !r->concurrency)
        return qz_fail(err, QZ_EUSAGE, "nothing to ask the runtime: give --text FILE, --tasks FILE or --concurrency "
                       "LIST");
    if (r->runtime) return qz_run_served(run, r, err);
    if (r->runtime_host || r->concurrency || r->journal || r->resume || r->store || r->engine)
        return qz_fail(err, QZ_EUSAGE, "--runtime-host, --concurrency, --journal, --resume, --store and --engine "
                       "belong "
                                       "to --runtime");
    if (r->n_operands == 0 && r->others.n == 0)
        return qz_fail(err, QZ_EUSAGE,
                       "no model: expected ARTIFACT…, found 0 operands and no --others DIR; see 'quantz eval --help'");
    if (r->text == NULL && r->tasks == NULL)
        return qz_fail(err, QZ_EUSAGE, "nothing to evaluate: give --text FILE, --tasks FILE or both");
    if (r->task_log && r->tasks == NULL) return qz_fail(err, QZ_EUSAGE, "--task-log needs --tasks FILE");
    if (r->task_log && !r->force && qz_path_exists(r->task_log))
        return qz_fail(err, QZ_EUSAGE, "log exists: file '%s'; replace it with --force", r->task_log);
    qz_others others = {0};
    qz_str text = {0};
    qz_status st = r->others.n ? qz_others_find(run, r, &others, err) : QZ_OK;
    if (st == QZ_OK) st = evaluate(run, r, &others, &text, err);
    if (st == QZ_OK) st = r->json ? qz_show(&text, err) : qz_show_text(&text, err);
    qz_others_release(&others);
    qz_str_release(&text);
    return st;
}
