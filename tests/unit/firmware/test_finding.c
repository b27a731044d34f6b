#include "unit/cmocka_prelude.h"

#include "base/json.h"
#include "check/finding.h"
#include "check/intent.h"

static void the_worst_finding_decides_the_status(void **state)
{
	struct findings findings;

	(void)state;
	findings_init(&findings);
	assert_int_equal(findings_status(&findings), 0);
	findings_add(&findings, FINDING_NOTE, "a", "", "by the way");
	assert_int_equal(findings_status(&findings), 0);
	findings_add(&findings, FINDING_ATTENTION, "a", "look", "it is %d", 7);
	assert_int_equal(findings_status(&findings), 6);
	findings_add(&findings, FINDING_DEFECT, "b", "look", "gone");
	findings_add(&findings, FINDING_ATTENTION, "b", "look", "again");
	assert_int_equal(findings_status(&findings), 3);
	assert_int_equal(findings_matching(&findings, "a", "it is 7"), 1);
	assert_int_equal(findings_matching(&findings, "b", "it is 7"), 0);
	findings_release(&findings);
}

static void a_report_shows_no_control_character(void **state)
{
	struct findings findings;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	findings_init(&findings);
	findings_count(&findings);
	findings_add(&findings, FINDING_ATTENTION, "Bios\033[2J", "look\rhere", "is '\n'");
	findings_print_text(&findings, "drift", out);
	fclose(out);
	assert_string_equal(text, "attention  Bios?[2J: is '?'. Do: look?here\n"
				  "drift: 1 checked, 1 findings: attention\n");
	free(text);
	findings_release(&findings);
}

static void a_suffix_is_a_number_and_only_where_the_vendor_has_them(void **state)
{
	static const struct intent plain = {0}, suffixed = {.suffixed = true};

	(void)state;
	assert_true(intent_names(&plain, "CSMSupport", "CSMSupport"));
	assert_false(intent_names(&plain, "CSMSupport", "CSMSupport_0015"));
	assert_true(intent_names(&suffixed, "CSMSupport", "CSMSupport"));
	assert_true(intent_names(&suffixed, "CSMSupport", "CSMSupport_0015"));
	assert_true(intent_names(&suffixed, "CSMSupport", "CSMSupport#00A5"));
	assert_false(intent_names(&suffixed, "CSMSupport", "CSMSupport_"));
	assert_false(intent_names(&suffixed, "CSMSupport", "CSMSupport_00x5"));
	assert_false(intent_names(&suffixed, "CSMSupport", "CSMSupport_001500150"));
	assert_false(intent_names(&suffixed, "CSMSupport", "CSMSupportMode_0015"));
	assert_false(intent_names(&suffixed, "CSMSupport", "CSM"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_worst_finding_decides_the_status),
		cmocka_unit_test(a_report_shows_no_control_character),
		cmocka_unit_test(a_suffix_is_a_number_and_only_where_the_vendor_has_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
