-- What MySQL 9.7.4 was given to write mysql-9.7-anonymous.binlog: server id 11,
-- --log-bin=golden-bin, --gtid-mode=OFF, --enforce-gtid-consistency=OFF, --binlog-checksum=NONE,
-- RESET BINARY LOGS AND GTIDS before. It is what a server with GTIDs refuses to do: transactions
-- that change tables of both kinds.
CREATE DATABASE shop;
USE shop;
CREATE TABLE orders (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(200)) ENGINE=InnoDB;
CREATE TABLE audit (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(200)) ENGINE=MyISAM;
BEGIN; INSERT INTO orders (note) VALUES ('a'); INSERT INTO audit (note) VALUES ('b'); INSERT INTO orders (note) VALUES ('c'); COMMIT;
BEGIN; INSERT INTO audit (note) VALUES ('b'); INSERT INTO orders (note) VALUES ('c'); ROLLBACK;
BEGIN; INSERT INTO orders (note) VALUES ('c'); INSERT INTO audit (note) VALUES ('b'); ROLLBACK;
BEGIN; INSERT INTO orders (note) VALUES ('c'); SAVEPOINT s; INSERT INTO audit (note) VALUES ('b'); ROLLBACK TO s; COMMIT;
BEGIN; CREATE TEMPORARY TABLE tt(a INT); INSERT INTO orders (note) VALUES ('c'); DROP TEMPORARY TABLE tt; ROLLBACK;
SET SESSION binlog_format=STATEMENT;
BEGIN; INSERT INTO orders (note) VALUES ('a'); INSERT INTO audit (note) VALUES ('b'); INSERT INTO orders (note) VALUES ('c'); COMMIT;
BEGIN; INSERT INTO audit (note) VALUES ('b'); INSERT INTO orders (note) VALUES ('c'); ROLLBACK;
BEGIN; INSERT INTO orders (note) VALUES ('c'); INSERT INTO audit (note) VALUES ('b'); ROLLBACK;
BEGIN; INSERT INTO orders (note) VALUES ('c'); SAVEPOINT s; INSERT INTO audit (note) VALUES ('b'); ROLLBACK TO s; COMMIT;
BEGIN; CREATE TEMPORARY TABLE tt(a INT); INSERT INTO orders (note) VALUES ('c'); INSERT INTO tt VALUES (1); DROP TEMPORARY TABLE tt; ROLLBACK;
INSERT INTO audit (note) SELECT note FROM orders LIMIT 5; INSERT INTO orders (note) SELECT note FROM audit LIMIT 5;
UPDATE orders, audit SET orders.note='mu', audit.note='mu' WHERE orders.id=audit.id;
SET SESSION binlog_direct_non_transactional_updates=ON;
BEGIN; INSERT INTO orders (note) VALUES ('a'); INSERT INTO audit (note) VALUES ('b'); INSERT INTO orders (note) VALUES ('c'); ROLLBACK;
SET SESSION binlog_direct_non_transactional_updates=OFF;
CREATE TABLE cs ENGINE=MyISAM SELECT 1 AS id; CREATE TABLE ci SELECT * FROM orders LIMIT 3; DROP TABLE cs, ci;
SET SESSION binlog_format=ROW;
UPDATE orders, audit SET orders.note='mr', audit.note='mr' WHERE orders.id=audit.id;
CREATE TABLE cs ENGINE=MyISAM SELECT 1 AS id; CREATE TABLE ci SELECT * FROM orders LIMIT 3; DROP TABLE cs, ci; DROP TABLE IF EXISTS cs, ci;
CREATE TEMPORARY TABLE ta(a INT); CREATE TEMPORARY TABLE tb(a INT); DROP TABLE ta, tb;
FLUSH BINARY LOGS;
