"""The dispatcher: what KafkaSource and PingSource do on a cluster, for the machine that has neither."""
