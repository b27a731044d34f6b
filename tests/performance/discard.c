/*
 * The fastest client there can be: asks for binlogs over TLS as a replica does, receives, discards.
 * What the benchmark's ratios are held against; it is no part of the product.
 *
 *     discard HOST PORT USER PASSWORD CA CERTIFICATE KEY FIRST-FILE
 *
 * Reads with libmariadb from FIRST-FILE to the end of the last file (non-blocking dump) and prints
 * the number of event bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mysql.h>

#define COM_DUMP      0x12
#define NON_BLOCK     1
#define SEND_ANNOTATE 2

static int fail(MYSQL *mysql, const char *what)
{
	fprintf(stderr, "discard: %s: %s\n", what, mysql_error(mysql));
	return 1;
}

static int send_dump(MYSQL *mysql, const char *file)
{
	unsigned char command[600] = {4, 0, 0, 0, NON_BLOCK | SEND_ANNOTATE, 0, 0x5a, 0x5a, 0, 0};
	size_t length = strlen(file);

	memcpy(command + 10, file, length);
	return mysql->methods->db_command(mysql, (enum enum_server_command)COM_DUMP,
					  (const char *)command, 10 + length, 1, NULL);
}

int main(int argc, char **argv)
{
	MYSQL *mysql = mysql_init(NULL);
	unsigned long packet_size_max = 2000000000;
	unsigned long long total = 0;
	my_bool on = 1;

	if (argc != 9)
		return 2;
	mysql_options(mysql, MYSQL_OPT_SSL_CA, argv[5]);
	mysql_options(mysql, MYSQL_OPT_SSL_CERT, argv[6]);
	mysql_options(mysql, MYSQL_OPT_SSL_KEY, argv[7]);
	mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &on);
	mysql_options(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet_size_max);
	if (!mysql_real_connect(mysql, argv[1], argv[3], argv[4], NULL,
				(unsigned int)strtoul(argv[2], NULL, 10), NULL, 0))
		return fail(mysql, "connecting");
	if (mysql_query(mysql, "SET @mariadb_slave_capability=4, "
			       "@master_binlog_checksum=@@global.binlog_checksum") != 0 ||
	    send_dump(mysql, argv[8]) != 0)
		return fail(mysql, "asking");
	for (;;) {
		unsigned long size = mysql_net_read_packet(mysql);

		if (size == packet_error)
			return fail(mysql, "receiving");
		if (size < 9 && mysql->net.read_pos[0] == 0xfe)
			break;
		total += size - 1;
	}
	printf("%llu\n", total);
	mysql_close(mysql);
	return 0;
}
