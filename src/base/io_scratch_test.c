/* What a killed run left is swept by the next one; what runs, is new, or has another name stays. */
#include "base/io.h"
#include "base/size.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static char base[] = "/tmp/qz-scratch-test-XXXXXX";

/* base/name with a file in it; old: made an hour ago. */
static char *left(const char *name, bool old) {
    char *dir = qz_path_join(base, name), *file = qz_path_join(dir, "part");
    assert_int_equal(mkdir(dir, 0700), 0);
    const int fd = open(file, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    char *inner = qz_path_join(dir, "again.partial"); /* an artifact that was being written */
    assert_int_equal(mkdir(inner, 0700), 0);
    const struct timespec hour[2] = {{.tv_sec = 1700000000}, {.tv_sec = 1700000000}};
    if (old) assert_int_equal(utimensat(AT_FDCWD, dir, hour, 0), 0);
    qz_free(file), qz_free(inner);
    return dir;
}

static void left_folders_are_swept(void **state) {
    (void)state;
    qz_error err = {0};
    qz_scratch s;
    assert_non_null(mkdtemp(base));
    assert_int_equal(setenv("TMPDIR", base, 1), 0);
    char *dead = left("quantz-trial-abcdef", true), *fresh = left("quantz-trial-ghijkl", false),
         *alive = left("quantz-trial-mnopqr", true), *other = left("quantz-trials-abcdef", true);
    const int fd = open(alive, O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(qz_scratch_make("trial", &s, &err), QZ_OK);
    assert_false(qz_path_exists(dead));
    assert_true(qz_path_exists(fresh) && qz_path_exists(alive) && qz_path_exists(other) && qz_path_exists(s.path));
    (void)close(fd);
    assert_int_equal(qz_scratch_remove(&s, &err), QZ_OK);
    assert_false(qz_path_exists(s.path));
    qz_scratch rest = {.lock = -1};
    char *left_over[] = {fresh, alive, other};
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(rest.path, sizeof rest.path, "%s", left_over[i]);
        assert_int_equal(qz_scratch_remove(&rest, &err), QZ_OK);
    }
    assert_int_equal(rmdir(base), 0);
    qz_free(dead), qz_free(fresh), qz_free(alive), qz_free(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(left_folders_are_swept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
