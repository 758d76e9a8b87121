/* The decode session. Truth: the 16 greedy tokens that transformers 5.23 gives (tests/golden/zoo), whatever is in
 * flight beside them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "base/json.h"
#include "base/size.h"
#include "engine/session.h"

enum { NEW = 16, MOST = 8, LONGEST = 160 };
typedef struct {
    qz_run run;
    qz_model *m;
    qz_engine *e;
    json_t *golden;
    uint32_t prompt[MOST][LONGEST], want[MOST][NEW];
    size_t n_prompt[MOST], n;
} rig;
static qz_error err;

static void must(qz_status st) {
    if (st != QZ_OK) fail_msg("%s", err.text);
}
static int rig_open(void **state) {
    rig *r = qz_calloc_array(1, sizeof *r);
    must(qz_run_init(&r->run, 2, &err));
    must(qz_model_open(&r->run, "tests/golden/zoo/llama", &r->m, &err));
    must(qz_json_load("tests/golden/zoo/llama/golden.json", 1 << 24, &r->golden, &err));
    must(qz_engine_open(&r->run, r->m, NULL, &r->e, &err));
    const json_t *all = json_object_get(r->golden, "sequences");
    r->n = qz_min_size(json_array_size(all), MOST);
    assert_true(r->n > 1);
    for (size_t s = 0; s < r->n; s++) {
        const json_t *ids = json_object_get(json_array_get(all, s), "input_ids"),
                     *greedy = json_object_get(json_array_get(all, s), "greedy16");
        r->n_prompt[s] = json_array_size(ids);
        assert_true(r->n_prompt[s] + NEW <= LONGEST && json_array_size(greedy) == NEW);
        for (size_t i = 0; i < r->n_prompt[s]; i++)
            r->prompt[s][i] = (uint32_t)json_integer_value(json_array_get(ids, i));
        for (size_t i = 0; i < NEW; i++) r->want[s][i] = (uint32_t)json_integer_value(json_array_get(greedy, i));
    }
    *state = r;
    return 0;
}
static int rig_close(void **state) {
    rig *r = *state;
    qz_engine_free(r->e);
    qz_model_free(r->m);
    json_decref(r->golden);
    qz_run_release(&r->run);
    qz_free(r);
    return 0;
}
static qz_sequence sequence(const rig *r, size_t s, uint32_t out[NEW]) {
    return (qz_sequence){.prompt = r->prompt[s], .n_prompt = r->n_prompt[s], .sampling = QZ_GREEDY, .max_new = NEW,
                         .out = out};
}

/* Each sequence twice, in turn. */
typedef struct { const rig *r; qz_sequence q[2 * MOST]; uint32_t out[2 * MOST][NEW]; size_t next, ended; } source;
static qz_sequence *next(void *arg) {
    source *x = arg;
    if (x->next == 2 * x->r->n) return NULL;
    const size_t i = x->next++;
    x->q[i] = sequence(x->r, i % x->r->n, x->out[i]);
    if (i % 3 == 1) x->q[i].max_new = NEW / 2; /* places become free at different steps */
    return &x->q[i];
}
static qz_status ended(void *arg, qz_sequence *q, qz_error *e) {
    source *x = arg;
    (void)e;
    assert_int_equal(q->info.n_new, q->max_new);
    x->ended++;
    return QZ_OK;
}
static void any_width_gives_the_same_tokens(void **state) {
    rig *r = *state;
    for (size_t width = 1; width <= 5; width += 2) {
        source *x = qz_calloc_array(1, sizeof *x);
        qz_session *s;
        x->r = r;
        must(qz_session_open(r->e, width, LONGEST, &s, &err));
        must(qz_session_run(s, &(qz_sequences){.next = next, .ended = ended, .arg = x}, &err));
        assert_int_equal(x->ended, 2 * r->n);
        for (size_t i = 0; i < 2 * r->n; i++)
            assert_memory_equal(x->out[i], r->want[i % r->n], x->q[i].max_new * sizeof(uint32_t));
        qz_session_free(s);
        qz_free(x);
    }
}

typedef struct { size_t n, most; atomic_bool *cancel; } listener;
static bool listen(void *arg, uint32_t id) {
    listener *l = arg;
    (void)id;
    l->n++;
    if (l->cancel) atomic_store(l->cancel, l->n == l->most);
    return l->cancel || l->n < l->most;
}
static void ends(void **state) {
    rig *r = *state;
    uint32_t out[NEW];
    qz_session *s;
    must(qz_session_open(r->e, 1, LONGEST, &s, &err));
    const int64_t stop[] = {-1, r->want[0][4]};
    size_t first = 0; /* of that token */
    while (r->want[0][first] != r->want[0][4]) first++;
    qz_sequence q = sequence(r, 0, out);
    q.stop_ids = stop, q.n_stop = 2;
    must(qz_session_one(s, &q, &err));
    assert_int_equal(q.info.n_new, first + 1); /* the stop token is the last one */
    assert_true(q.info.stopped && !q.info.cancelled);

    listener l = {.most = 3};
    q = sequence(r, 0, out);
    q.on_token = listen, q.arg = &l;
    must(qz_session_one(s, &q, &err));
    assert_true(q.info.n_new == 3 && l.n == 3 && !q.info.stopped && !q.info.cancelled);

    atomic_bool cancel = false;
    l = (listener){.most = 2, .cancel = &cancel};
    qz_session_cancel_on(s, &cancel);
    q = sequence(r, 0, out);
    q.on_token = listen, q.arg = &l;
    must(qz_session_one(s, &q, &err));
    assert_true(q.info.n_new == 2 && q.info.cancelled && !q.info.stopped);

    atomic_store(&cancel, false); /* and the session is good for the next one */
    q = sequence(r, 1, out);
    must(qz_session_one(s, &q, &err));
    assert_memory_equal(out, r->want[1], sizeof out);
    qz_session_free(s);
}
static void refused(void **state) {
    rig *r = *state;
    uint32_t out[NEW];
    qz_session *s;
    must(qz_session_open(r->e, 1, r->n_prompt[0] + NEW, &s, &err));
    qz_sequence q = sequence(r, 0, out);
    q.max_new = NEW + 1;
    assert_int_equal(qz_session_one(s, &q, &err), QZ_EUSAGE);
    assert_non_null(strstr(err.text, "do not fit"));
    q = sequence(r, 0, out);
    q.n_prompt = 0;
    err = (qz_error){0};
    assert_int_equal(qz_session_one(s, &q, &err), QZ_EUSAGE);
    assert_non_null(strstr(err.text, "the prompt is empty"));
    q = sequence(r, 0, out);
    q.max_new = 0;
    must(qz_session_one(s, &q, &err));
    assert_int_equal(q.info.n_new, 0);
    qz_session_free(s);
}
int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_width_gives_the_same_tokens), cmocka_unit_test(ends),
                                       cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, rig_open, rig_close);
}
