/* report.html: well-formed, hostile names escaped, the figures of report.json, nothing that is not a number in a
 * plot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include "base/json.h"
#include "report/html_report.h"
#include "report/svg.h"

static const char report[] =
    "{\"quantz\":\"0\",\"model\":\"a<script>alert(1)</"
    "script>&\\\"b\",\"protocol\":\"p\",\"token_hash\":\"t\",\"machine\":\"m\","
    "\"memory_bandwidth_gbs\":20,\"gate\":{\"rules\":\"r.json\",\"rules_sha256\":\"ab\",\"candidates\":[{\"name\":"
    "\"x\",\"approved\":false,"
    "\"rules\":[{\"metric\":\"kl\",\"verdict\":\"FAIL\",\"reason\":\"kl 0.05 < no\"}]}]},\"rows\":["
    "{\"artifact\":\"src\",\"encoding\":\"BF16\",\"bytes\":8000000,\"ppl\":7.5,\"kinds\":{\"a&b\":[9,10]},\"tasks_"
    "solved\":9,\"tasks\":10},"
    "{\"artifact\":\"d/"
    "x<y.gguf\",\"encoding\":\"Q4_0\",\"bytes\":2250000,\"ppl\":7.625,\"dppl_pct\":1.67,\"kl\":0.0512,\"kl_low\":0.05,"
    "\"kl_high\":0.053,\"kl_by_position\":[{\"from\":0,\"to\":15,\"kl\":0.1,\"tokens\":5},{\"from\":16,\"to\":31,"
    "\"kl\":0,\"tokens\":5}],"
    "\"kl_histogram\":[5,4,0,1],\"kinds\":{\"a&b\":[8,10]},\"tasks_solved\":8,\"tasks\":10,\"peak_rss_bytes\":9000000,"
    "\"bytes_per_token\":2000000,\"gen_tps\":{\"median\":100,\"min\":90,\"max\":110},\"worst_tokens\":[{\"window\":1,"
    "\"position\":2,"
    "\"kl\":1.5,\"before\":\"<b>\\n\",\"token\":\"</"
    "mark>\"}],\"output_error\":{\"linears\":[{\"name\":\"model.layers.1.mlp.up_proj\","
    "\"relative_error\":0.001},{\"name\":\"lm_head\",\"relative_error\":0.1}]}},"
    "{\"artifact\":\"z\",\"bytes\":null,\"kl\":0,\"gen_tps\":7,\"kinds\":5,\"kl_by_position\":{},\"worst_tokens\":[3]}"
    "]}";

/* Every element is closed in order; void elements and the doctype aside. */
static void well_formed(const char *s) {
    char open[32][16];
    size_t depth = 0;
    while ((s = strchr(s, '<')) != NULL) {
        if (strncmp(s, "<!", 2) == 0) {
            s = strncmp(s, "<!--", 4) == 0 ? strstr(s, "-->") : strchr(s, '>');
            continue;
        }
        const bool ends = s[1] == '/';
        const char *name = s + 1 + ends, *close = strchr(s, '>');
        const size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789");
        assert_non_null(close);
        assert_true(n > 0 && n < 16);
        if (ends) {
            assert_true(depth > 0);
            depth--;
            if (strlen(open[depth]) != n || strncmp(open[depth], name, n) != 0)
                fail_msg("</%.*s> closes <%s>", (int)n, name, open[depth]);
        } else if (close[-1] != '/' && !(n == 4 && strncmp(name, "meta", 4) == 0)) {
            assert_true(depth < 32);
            memcpy(open[depth], name, n);
            open[depth++][n] = 0;
            if (strncmp(name, "script", 6) == 0) { /* its text is no markup */
                s = strstr(close, "</script>");
                assert_non_null(s);
                continue;
            }
        }
        s = close;
    }
    assert_int_equal(depth, 0);
}

static void page(void **state) {
    (void)state;
    static const char *const has[] = {"a&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;b",
                                      "x&lt;y.gguf",
                                      "0.0512 [0.05, 0.053]",
                                      "7.625",
                                      "2.25",
                                      "80.0 [",
                                      "<mark>&lt;/mark&gt;</mark>",
                                      "a&amp;b",
                                      "id=\"size\"",
                                      "id=\"position\"",
                                      "id=\"tokens\"",
                                      "id=\"layers\"",
                                      "id=\"tasks\"",
                                      "id=\"memory\"",
                                      "id=\"speed\"",
                                      "id=\"gate\"",
                                      "id=\"worst\"",
                                      "kl 0.05 &lt; no",
                                      "refused",
                                      "prefers-color-scheme:dark",
                                      "@media print"};
    static const char *const hasnt[] = {"<script>alert", "nan", "inf\"", "-inf", "http", "src="};
    json_t *root = NULL;
    qz_error err = {0};
    qz_str out = {0};
    assert_int_equal(qz_json_parse(report, sizeof report - 1, "r", &root, &err), QZ_OK);
    qz_html_report(root, &out);
    assert_true(strncmp(out.ptr, QZ_HTML_HEAD, sizeof QZ_HTML_HEAD - 1) == 0);
    for (size_t i = 0; i < sizeof has / sizeof has[0]; i++)
        if (!strstr(out.ptr, has[i])) fail_msg("'%s' is missing", has[i]);
    char *body = strstr(out.ptr, "<main>"), *end = strstr(out.ptr, "</main>");
    assert_true(body && end);
    well_formed(out.ptr);
    *end = 0;
    for (size_t i = 0; i < sizeof hasnt / sizeof hasnt[0]; i++)
        if (strstr(body, hasnt[i])) fail_msg("'%s': %.80s", hasnt[i], strstr(body, hasnt[i]));
    qz_str_release(&out);
    json_decref(root);
}

/* Whatever the report lacks or has in another kind, there is a page. */
static void empty_reports(void **state) {
    (void)state;
    static const char *const all[] = {"{}", "{\"rows\":[]}", "{\"rows\":5,\"gate\":[]}", "{\"rows\":[1,\"a\",null]}",
                                      "{\"rows\":[{},{}],\"gate\":{}}"};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        json_t *root = NULL;
        qz_error err = {0};
        qz_str out = {0};
        assert_int_equal(qz_json_parse(all[i], strlen(all[i]), "r", &root, &err), QZ_OK);
        qz_html_report(root, &out);
        well_formed(out.ptr);
        qz_str_release(&out);
        json_decref(root);
    }
}

/* Ends of the axes are the edges of the picture; a value beyond stays inside. */
static void axes(void **state) {
    (void)state;
    qz_str s = {0};
    qz_plot p = {.out = &s, .width = 460, .height = 280, .x = {0, 10, false, "x"}, .y = {1e-3, 1, true, "y"}};
    assert_true(qz_plot_x(&p, 0) < qz_plot_x(&p, 5) && qz_plot_x(&p, 5) < qz_plot_x(&p, 10));
    assert_true(qz_plot_x(&p, 10) - qz_plot_x(&p, 5) - (qz_plot_x(&p, 5) - qz_plot_x(&p, 0)) < 1e-9);
    assert_true(qz_plot_y(&p, 1) < qz_plot_y(&p, 1e-3));
    assert_true(qz_plot_x(&p, 99) <= 460 && qz_plot_y(&p, -1) <= 280);
    qz_plot_begin(&p, "t", "a<b");
    qz_plot_end(&p);
    assert_non_null(strstr(s.ptr, ">a&lt;b<"));
    assert_non_null(strstr(s.ptr, ">0.01<"));
    well_formed(s.ptr);
    qz_str_release(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(page), cmocka_unit_test(empty_reports),
                                       cmocka_unit_test(axes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
