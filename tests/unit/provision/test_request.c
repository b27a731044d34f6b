#include "unit/cmocka_prelude.h"

#include <stdio.h>

#include "provision/recovery.h"
#include "provision/request.h"

static void a_line_is_cut_into_words_and_the_reason_stays_whole(void **state)
{
	char line[] = "  orders --to INC-4711\t--from-file b.000003 --client restore1 "
		      "--reason the table is empty";
	struct request request;
	struct error err = {0};

	(void)state;
	assert_ok(request_parse(line, &request, &err), &err);
	assert_int_equal(request.count, 9);
	assert_string_equal(request.words[0], "orders");
	assert_string_equal(request.words[4], "b.000003");
	assert_string_equal(request.words[8], "the table is empty");
	assert_null(request.words[9]);
	assert_string_equal(request.name, "INC-4711");
	assert_string_equal(request.client, "restore1");
}

static void empty_lines_and_remarks_say_nothing(void **state)
{
	char empty[] = "", blanks[] = " \t", remark[] = "  # orders --to x";
	char *const lines[] = {empty, blanks, remark};
	struct request request;
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_ok(request_parse(lines[i], &request, &err), &err);
		assert_int_equal(request.count, 0);
	}
}

static void a_request_without_a_name_or_with_too_many_words_is_refused(void **state)
{
	char nameless[] = "orders --reason --to x", cut[] = "orders --to", many[256] = "";
	struct request request;
	struct error err = {0};

	(void)state;
	assert_fails(request_parse(nameless, &request, &err), &err, ERROR_USAGE, "needs --to");
	assert_fails(request_parse(cut, &request, &err), &err, ERROR_USAGE, "needs --to");
	for (int i = 0; i <= REQUEST_WORDS_MAX; i++)
		snprintf(many + 2 * i, sizeof(many) - 2 * (size_t)i, "x ");
	assert_fails(request_parse(many, &request, &err), &err, ERROR_USAGE, "more than 24 words");
}

static void only_the_custodians_letter_is_a_recovery_key(void **state)
{
	char letter[] = "binvault-recovery-1 cbde-fghi\n", other[] = "binvault-recovery-2 cbde\n";
	char bundle[] = "\x30\x82\x10\x10";

	(void)state;
	assert_string_equal(recovery_letter(letter), "cbde-fghi");
	assert_null(recovery_letter(other));
	assert_null(recovery_letter(bundle));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_cut_into_words_and_the_reason_stays_whole),
		cmocka_unit_test(empty_lines_and_remarks_say_nothing),
		cmocka_unit_test(a_request_without_a_name_or_with_too_many_words_is_refused),
		cmocka_unit_test(only_the_custodians_letter_is_a_recovery_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
