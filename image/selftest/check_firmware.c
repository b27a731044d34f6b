#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "selftest/checks.h"
#include "selftest/source.h"
#include "selftest/tap.h"

#define VARIABLE(name) "/sys/firmware/efi/efivars/" name "-8be4df61-93ca-11d2-aa0d-00e098032b8c"

static char text[SOURCE_SIZE];

/* Four bytes of attributes, then the value; -1 if there is no such variable. */
static int variable(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t bytes[5];
	ssize_t size = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));

	if (fd >= 0)
		close(fd);
	return size == sizeof(bytes) ? bytes[4] : -1;
}

void check_firmware(void)
{
	static const int registers[] = {7, 11, 12};
	int value = variable(VARIABLE("SecureBoot"));
	char path[64];

	tap_result(value == 1, "Secure Boot is on", "the variable SecureBoot is %d", value);
	value = variable(VARIABLE("SetupMode"));
	tap_result(value == 0, "the firmware is not in setup mode", "SetupMode is %d", value);
	source_file("/sys/class/tpm/tpm0/tpm_version_major", text);
	tap_result(strcmp(text, "2") == 0, "there is a TPM 2.0", "its version is '%s'", text);
	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
		snprintf(path, sizeof(path), "/sys/class/tpm/tpm0/pcr-sha256/%d", registers[i]);
		tap_comment("PCR %d %s", registers[i], source_file(path, text));
	}
	tap_result(access("/dev/watchdog0", F_OK) == 0, "there is a hardware watchdog",
		   "no /dev/watchdog0");
}
