#include "report/task_log.h"
#include "base/json_write.h"
#include "base/json.h"

qz_status qz_task_log_line(void *arg, const qz_answered *a, qz_error *err) {
    const qz_task_log *l = arg;
    const qz_task *t = &l->set->tasks[a->task];
    qz_json_writer w = {l->out, false};
    qz_jw_open(&w, NULL, '{');
    qz_jw_text(&w, "artifact", l->artifact);
    qz_jw_count(&w, "line", t->line);
    qz_jw_text(&w, "kind", t->kind);
    qz_jw_text(&w, "check", qz_check_name(t->check));
    if (t->group) qz_jw_text(&w, "group", t->group);
    if (a->sample) qz_jw_count(&w, "sample", a->sample);
    qz_jw_bool(&w, "solved", a->solved);
    if (a->text) {
        qz_jw_key(&w, "answer");
        qz_json_quote(l->out, a->text, a->n);
        w.comma = true;
    } else {
        qz_jw_open(&w, "logprob", '[');
        for (size_t i = 0; i < a->n_logprob; i++) qz_jw_real(&w, NULL, a->logprob[i]);
        qz_jw_close(&w, ']');
        qz_jw_open(&w, "greedy", '[');
        for (size_t i = 0; i < a->n_logprob; i++) qz_jw_bool(&w, NULL, a->greedy[i]);
        qz_jw_close(&w, ']');
    }
    qz_jw_close(&w, '}');
    qz_str_putc(l->out, '\n');
    return l->out->failed ? qz_fail(err, QZ_EMEMORY, "out of memory for the log of tasks") : QZ_OK;
}
