/* cmocka's header needs these before it; the assertion helpers of all unit tests follow. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

/* The call succeeded; otherwise the test fails with the sentence. */
#define assert_ok(call, err)                                                                       \
	do {                                                                                       \
		long ok_result_ = (long)(call);                                                    \
		if (ok_result_ < 0)                                                                \
			fail_msg("%s: %s", #call, (err)->message);                                 \
	} while (0)

/* The call failed with @expected_code and a sentence that contains @words. */
#define assert_fails(call, err, expected_code, words)                                              \
	do {                                                                                       \
		long fails_result_ = (long)(call);                                                 \
		assert_int_equal(fails_result_, (expected_code));                                  \
		assert_int_equal((err)->code, (expected_code));                                    \
		if (!strstr((err)->message, (words)))                                              \
			fail_msg("'%s' does not contain '%s'", (err)->message, (words));           \
	} while (0)
