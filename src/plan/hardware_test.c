/* The hardware table: every row complete, look-up with nearest match, own rows from a file, sizes with their units. */
#include "plan/hardware.h"
#include "base/io.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void rows_are_complete(void **state) {
    (void)state;
    qz_hardware_set set;
    qz_error err = {0};
    assert_int_equal(qz_hardware_open(&set, NULL, &err), QZ_OK);
    bool gpu = false, mac = false, cpu = false;
    for (size_t i = 0; i < set.n; i++) {
        const qz_hardware *h = &set.rows[i];
        assert_true((h->tflops > 1) == (strcmp(h->kind, "cpu") != 0));
        /* twice the rate in half the bits, where at all; four times where 16 bits sum in 32 */
        assert_true(h->tflops8 == 0 || (h->tflops8 >= h->tflops && h->tflops8 < 4.1 * h->tflops));
        assert_true((h->tflops8 > 0) == (h->tflops > 0 && strstr(h->native, "8") != NULL));
        assert_true(h->visible_mib >= 4096 && h->bandwidth_gbps > 10);
        assert_true(*h->date && *h->source && *h->native && *h->vendor);
        assert_true((h->capability > 0) == (strcmp(h->vendor, "nvidia") == 0));
        gpu |= strcmp(h->kind, "gpu") == 0, mac |= strcmp(h->kind, "mac") == 0, cpu |= strcmp(h->kind, "cpu") == 0;
        for (size_t k = 0; k < i; k++) assert_string_not_equal(h->name, set.rows[k].name);
    }
    assert_true(gpu && mac && cpu && set.n >= 35);
    qz_hardware_release(&set);
}

static void finds(void **state) {
    (void)state;
    qz_hardware_set set;
    qz_error err = {0};
    const qz_hardware *h = NULL;
    assert_int_equal(qz_hardware_open(&set, NULL, &err), QZ_OK);
    assert_int_equal(qz_hardware_find(&set, "H100", &h, &err), QZ_OK);
    assert_string_equal(h->name, "h100-80gb");
    assert_int_equal(qz_hardware_bytes(h), 85520809984); /* 81 559 MiB = 85.52 GB (C-122) */
    assert_true(qz_hardware_native(h, "fp8") && !qz_hardware_native(h, "fp4") && !qz_hardware_native(h, "fp"));
    assert_int_equal(qz_hardware_find(&set, "RTX 4090", &h, &err), QZ_OK);
    assert_string_equal(h->name, "rtx-4090-24gb");
    assert_int_equal(qz_hardware_find(&set, "h1000-80gb", &h, &err), QZ_EUSAGE);
    assert_non_null(strstr(err.text, "nearest known is 'h100-80gb'"));
    qz_hardware_release(&set);
}

static void with_file(const char *text, qz_status want, const char *part) {
    char path[] = "/tmp/qz-hardware-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    qz_error err = {0};
    assert_int_equal(qz_write_file(path, text, strlen(text), &err), QZ_OK);
    qz_hardware_set set;
    assert_int_equal(qz_hardware_open(&set, path, &err), want);
    if (want == QZ_OK) {
        const qz_hardware *h = NULL;
        assert_int_equal(qz_hardware_find(&set, part, &h, &err), QZ_OK);
        assert_int_equal((int)h->visible_mib, 12345);
        qz_hardware_release(&set);
    } else if (strstr(err.text, part) == NULL) fail_msg("expected '%s', found '%s'", part, err.text);
    (void)unlink(path);
}
static void own_rows(void **state) {
    (void)state;
    with_file("# mine\nmy-card\tgpu\t12345\t500\tfp16,int8\t86\t2026-01\tmeasured\n", QZ_OK, "my-card");
    with_file("h100-80gb\tgpu\t12345\t500\tfp16\t90\t2026-01\tmeasured\n", QZ_OK, "h100-80gb");
    with_file("my-card\tgpu\t12345\t500\tfp16,int8\t86\t2026-01\tmeasured\t100\t200\n", QZ_OK, "my-card");
    with_file("my-card\tgpu\t12345\t500\tfp16,int8\t86\t2026-01\tmeasured\t100\n", QZ_EFORMAT, "or 10 (TFLOPS");
    with_file("my-card\tgpu\t12345\t500\tfp16\t86\t2026-01\tx\tfast\t0\n", QZ_EFORMAT, "bad TFLOPS in 16 bits");
    with_file("my-card\tgpu\t24GB\t500\tfp16\t86\t2026-01\tx\n", QZ_EFORMAT, "line 1: expected a number");
    with_file("\nmy-card gpu 24\n", QZ_EFORMAT, "line 2: expected 8 fields separated by tabs");
    with_file("my-card\ttpu\t24\t500\tfp16\t86\t2026-01\tx\n", QZ_EFORMAT, "expected gpu, mac or cpu, found 'tpu'");
    with_file("my-card\tgpu\t24000\t500\tfp16\t86\t\tx\n", QZ_EFORMAT, "date and source must not be empty");
    with_file("my-card\tgpu\t-1\t500\tfp16\t86\t2026\tx\n", QZ_EFORMAT, "bad visible MiB");
    with_file("my-card\tgpu\tnan\t500\tfp16\t86\t2026\tx\n", QZ_EFORMAT, "bad visible MiB");
}

static void sizes(void **state) {
    (void)state;
    static const struct { const char *text; uint64_t bytes; } good[] = {
        {"24GB", 24000000000}, {"24 GiB", 25769803776}, {"81559MiB", 85520809984}, {"0.5gb", 500000000},
        {"1TiB", 1099511627776}, {"17b", 17}};
    static const struct {
        const char *text, *part;
    } bad[] = {{"24", "has no unit"},          {"24Gb/s", "unknown unit"},    {"24 gigs", "unknown unit"},
               {"GB", "expected a number"},    {"-1GB", "expected a number"}, {"1e30GB", "more than can be counted"},
               {"nanGB", "expected a number"}, {"", "expected a number"}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t v = 0;
        qz_error err = {0};
        assert_int_equal(qz_bytes_parse(good[i].text, "memory", &v, &err), QZ_OK);
        assert_int_equal(v, good[i].bytes);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t v = 0;
        qz_error err = {0};
        assert_int_equal(qz_bytes_parse(bad[i].text, "memory", &v, &err), QZ_EUSAGE);
        assert_non_null(strstr(err.text, bad[i].part));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_are_complete), cmocka_unit_test(finds),
                                       cmocka_unit_test(own_rows), cmocka_unit_test(sizes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
