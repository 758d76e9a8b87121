#include "base/size.h"
#include "explain/explain.h"
#include "pipeline/verbs.h"
#include "report/table_print.h"
#include <string.h>

qz_status qz_run_explain_verb(qz_run *run, const qz_request *r, qz_error *err) {
    qz_explained x = {.run = run, .topic = "topics", .err = err,
                      .o = {.json = r->json, .operands = r->operands, .n_operands = r->n_operands, .tensor = r->tensor,
                            .elem = r->elem, .against = r->against, .model = r->base,
                            .values = r->values, .acts = r->acts, .w = r->w, .scale = r->scale,
                            .hardware = r->hardware, .hardware_file = r->hardware_file, .memory = r->memory,
                            .cc = r->cc, .contexts = r->contexts, .users = r->users, .kv = r->kv,
                            .engine = r->engine, .tp = r->tp}};
    qz_str out = {0};
    qz_status st = qz_explain(&x);
    if (st == QZ_OK && x.text.failed) st = qz_fail(err, QZ_EMEMORY, "out of memory");
    if (st == QZ_OK) qz_explain_print(&x, &out);
    if (st == QZ_OK) st = qz_show(&out, err);
    const bool launch = x.topic && strcmp(x.topic, "launch") == 0;
    if (st == QZ_OK && launch && x.launched == 0)
        st = x.refused ? qz_fail(err, QZ_ECHECK, "no launch line%s%s: '%s': %zu finding%s, first %s",
                                 r->engine ? " for " : "", r->engine ? r->engine : "", r->operands[1], x.refused,
                                 qz_plural(x.refused), x.refusal)
                       : qz_fail(err, QZ_ECHECK,
                                 "no launch line%s%s: '%s': whether it loads there is unknown here; try it, or choose "
                                 "another --engine", r->engine ? " for " : "", r->engine ? r->engine : "",
                                 r->operands[1]);
    qz_str_release(&out);
    qz_str_release(&x.text);
    qz_str_release(&x.unread);
    qz_arena_release(&x.arena);
    return st;
}
