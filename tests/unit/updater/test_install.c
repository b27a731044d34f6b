#include "unit/cmocka_prelude.h"

#include "updater/disk.h"
#include "updater/install.h"

static void only_a_newer_version_that_is_not_below_the_floor_may_come(void **state)
{
	struct error err = {0};

	(void)state;
	assert_ok(install_permits(3, 2, 2, &err), &err);
	assert_ok(install_permits(3, 2, 0, &err), &err);
	assert_fails(install_permits(2, 2, 0, &err), &err, ERROR_REFUSED,
		     "version 2 is not newer than version 2, which runs");
	assert_fails(install_permits(1, 2, 0, &err), &err, ERROR_REFUSED, "is not newer than");
	assert_fails(install_permits(3, 2, 4, &err), &err, ERROR_REFUSED,
		     "version 3 is below 4, the oldest that this vault lets run");
}

static void a_partition_is_known_by_its_name_in_the_table(void **state)
{
	static const char uevent[] = "MAJOR=254\nDEVNAME=vda4\nPARTN=4\nPARTNAME=root_b\n";
	char value[DISK_NAME_SIZE], small[6];
	struct error err = {0};

	(void)state;
	assert_ok(disk_uevent_value(uevent, "PARTNAME", value, sizeof(value), &err), &err);
	assert_string_equal(value, "root_b");
	assert_ok(disk_uevent_value(uevent, "PARTN", value, sizeof(value), &err), &err);
	assert_string_equal(value, "4");
	assert_fails(disk_uevent_value(uevent, "NAME", value, sizeof(value), &err), &err,
		     ERROR_NOT_FOUND, "there is no NAME");
	assert_fails(disk_uevent_value("", "PARTN", value, sizeof(value), &err), &err,
		     ERROR_NOT_FOUND, "there is no PARTN");
	assert_fails(disk_uevent_value(uevent, "PARTNAME", small, sizeof(small), &err), &err,
		     ERROR_DEFECT, "PARTNAME is too long");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_newer_version_that_is_not_below_the_floor_may_come),
		cmocka_unit_test(a_partition_is_known_by_its_name_in_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
