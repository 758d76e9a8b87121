/* Names of models. Outside truth: gguf-py's own answers for 30 folder names (tests/golden/artifacts/gguf-cards.tsv). */
#include "artifacts/gguf_card.h"
#include "base/io.h"
#include "base/size.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void cards(void **state) {
    (void)state;
    char *text, *line;
    size_t len, n = 0;
    qz_error err = {0};
    qz_arena a = {0};
    assert_int_equal(qz_read_file("tests/golden/artifacts/gguf-cards.tsv", 1 << 16, &text, &len, &err), QZ_OK);
    for (char *p = text; (line = strsep(&p, "\n")) != NULL;) {
        char *f[7];
        size_t k = 0;
        if (line[0] == '#' || !line[0]) continue;
        while (k < 7 && (f[k] = strsep(&line, "\t")) != NULL) k++;
        assert_int_equal(k, 7);
        qz_gguf_card c;
        assert_true(qz_gguf_card_read(f[0], strlen(f[0]), strtoull(f[1], NULL, 10), &a, &c));
        const char *got[5] = { c.name, c.version, c.finetune, c.basename, c.size_label };
        for (size_t i = 0; i < 5; i++)
            if (strcmp(got[i] ? got[i] : "-", f[2 + i]))
                fail_msg("%s, field %zu: expected %s, found %s", f[0], i, f[2 + i], got[i] ? got[i] : "-");
        n++;
    }
    qz_free(text);
    qz_arena_release(&a);
    assert_int_equal(n, 30);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(cards) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
