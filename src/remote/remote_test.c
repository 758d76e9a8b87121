/* The bound of KL, addresses, programs. Outside truth: KL by its definition over all outcomes, computed here in double;
 * the log-sum inequality (merging outcomes never raises it; all outcomes told: equal). */
#include "base/rng.h"
#include "remote/program.h"
#include "remote/top_kl.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { V = 50 };

static void bound(void **state) {
    qz_rng r;
    (void)state;
    qz_rng_seed(&r, 7);
    for (int round = 0; round < 500; round++) {
        float a[V];
        double b[V], za = 0, zb = 0, kl = 0, before = -1;
        uint32_t order[V], best = 0;
        for (uint32_t i = 0; i < V; i++) {
            a[i] = (float)(6 * qz_rng_unit(&r));
            b[i] = (double)a[i] + 2 * qz_rng_unit(&r);
            za += exp((double)a[i]), zb += exp(b[i]);
            if (a[i] > a[best]) best = i;
            order[i] = i;
        }
        for (size_t i = 0; i < V; i++) kl += exp((double)a[i]) / za * ((double)a[i] - log(za) - b[i] + log(zb));
        for (size_t i = 0; i < V; i++) /* the likeliest of b first */
            for (size_t k = i + 1; k < V; k++)
                if (b[order[k]] > b[order[i]]) {
                    const uint32_t x = order[i];
                    order[i] = order[k], order[k] = x;
                }
        qz_served_token q[V];
        for (size_t i = 0; i < V; i++) q[i] = (qz_served_token){order[i], b[order[i]] - log(zb)};
        for (size_t n = 0; n <= V; n++) {
            const qz_top_kl k = qz_top_kl_of(a, log(za), q, n, best);
            assert_true(k.kl <= kl + 1e-9 && k.kl >= before - 1e-9); /* each told token lets less be hidden */
            before = k.kl;
            if (n == V) assert_float_equal(k.kl, kl, 1e-5);
            if (n) assert_int_equal(k.same_top, order[0] == best);
        }
    }
}

static void addresses(void **state) {
    static const struct { const char *url, *allowed; bool good; } all[] = {
        {"http://127.0.0.1:8080/v1", NULL, true}, {"http://localhost", NULL, true}, {"http://[::1]:80/v1", NULL, true},
        {"https://127.9.9.9", NULL, true}, {"http://gpu-box:8000/v1", "other, gpu-box", true},
        {"http://gpu-box:8000/v1", NULL, false}, {"http://127.0.0.1.evil.com", NULL, false},
        {"http://127.0.0.1@evil.com/", NULL, false}, {"http://evil.com#127.0.0.1", NULL, false},
        {"file:///etc/passwd", NULL, false}, {"http://", NULL, false}, {"http://10.0.0.1", "10.0.0.2", false},
        {"http://127.0.0.1/a b", NULL, false}, {"http://127.0.0.1?x=1", NULL, false}};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        char host[256];
        qz_error err = {0};
        const qz_http_options o = {.url = all[i].url, .allowed = all[i].allowed};
        const qz_status st = qz_http_address(&o, host, &err);
        if ((st == QZ_OK) != all[i].good) fail_msg("%s: %s", all[i].url, err.text);
    }
}

static void programs(void **state) {
    char *const echo[] = {"/bin/echo", "a;b", "$HOME", NULL}, *const fails[] = {"/bin/false", NULL},
               *const none[] = {"/nowhere/x", NULL};
    const qz_program_bounds most = {10, 1000};
    qz_str out = {0};
    qz_error err = {0};
    (void)state;
    assert_int_equal(qz_program_run(echo, &most, &out, &err), QZ_OK);
    assert_string_equal(out.ptr, "a;b $HOME\n"); /* no shell read it */
    assert_int_equal(qz_program_run(fails, &most, &out, &err), QZ_EIO);
    assert_int_equal(qz_program_run(none, &most, &out, &err), QZ_EUSAGE);
    /* its end of the pipe is closed, and it stays */
    char *const stays[] = {"/bin/sh", "-c", "exec > /dev/null 2>&1; sleep 30", NULL};
    const qz_program_bounds short_time = {0.2, 4096};
    err = (qz_error){0};
    assert_int_equal(qz_program_run(stays, &short_time, &out, &err), QZ_EIO);
    assert_non_null(strstr(err.text, "took more than"));
    qz_str_release(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(bound), cmocka_unit_test(addresses),
                                       cmocka_unit_test(programs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
