/* Must-fail files: each is refused with the words beside its name in tests/golden/formats/bad/expected.tsv,
 * naming the file. */
#include "base/io.h"
#include "base/size.h"
#include "base/str.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void refused(void **state) {
    (void)state;
    char *text, *line;
    size_t len, n = 0, listed = 0;
    qz_error e = {0};
    assert_int_equal(qz_read_file("tests/golden/formats/bad/expected.tsv", 1 << 16, &text, &len, &e), QZ_OK);
    for (char *p = text; (line = strsep(&p, "\n")) != NULL;) {
        char path[256], *name = strsep(&line, "\t");
        if (name[0] == '#' || !line) continue;
        snprintf(path, sizeof path, "tests/golden/formats/bad/%s", name);
        qz_error err = {0};
        qz_st st;
        qz_gguf g;
        qz_status s = qz_str_ends(name, ".gguf") ? qz_gguf_open(&g, path, &err) : qz_st_open(&st, path, &err);
        if (s == QZ_OK) fail_msg("%s: accepted", name);
        if ((s != QZ_EFORMAT && s != QZ_EUNSUPPORTED) || !strstr(err.text, line) || !strstr(err.text, name))
            fail_msg("%s: %s", name, err.text);
        n++;
    }
    qz_free(text);
    char **names;
    assert_int_equal(qz_list_dir("tests/golden/formats/bad", &names, &listed, &e), QZ_OK);
    qz_free_names(names, listed);
    assert_int_equal(n + 1, listed); /* every file is in the list */
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
