/* binvault-selftest: what the booted vault can see of its own protection, as TAP on the console. */
#include <stdio.h>

#include "selftest/checks.h"
#include "selftest/tap.h"

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	/* Behind whatever the kernel or systemd has left of a line. */
	printf("\nTAP version 13\n");
	check_root();
	check_volume();
	check_kernel();
	check_firmware();
	check_network();
	check_accounts();
	check_units();
	return tap_end();
}
