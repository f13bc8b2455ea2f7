// The methods of class tx.
public import CRabbitMQ

extension amqp_tx_select_t: FieldlessMethod {
  public static var id: amqp_method_number_t { AMQP_TX_SELECT_METHOD }
  public static var name: StaticString { "AMQP_TX_SELECT_METHOD" }
}

extension amqp_tx_select_ok_t: FieldlessMethod {
  public static var id: amqp_method_number_t { AMQP_TX_SELECT_OK_METHOD }
  public static var name: StaticString { "AMQP_TX_SELECT_OK_METHOD" }
}

extension amqp_tx_commit_t: FieldlessMethod {
  public static var id: amqp_method_number_t { AMQP_TX_COMMIT_METHOD }
  public static var name: StaticString { "AMQP_TX_COMMIT_METHOD" }
}

extension amqp_tx_commit_ok_t: FieldlessMethod {
  public static var id: amqp_method_number_t { AMQP_TX_COMMIT_OK_METHOD }
  public static var name: StaticString { "AMQP_TX_COMMIT_OK_METHOD" }
}

extension amqp_tx_rollback_t: FieldlessMethod {
  public static var id: amqp_method_number_t { AMQP_TX_ROLLBACK_METHOD }
  public static var name: StaticString { "AMQP_TX_ROLLBACK_METHOD" }
}

extension amqp_tx_rollback_ok_t: FieldlessMethod {
  public static var id: amqp_method_number_t { AMQP_TX_ROLLBACK_OK_METHOD }
  public static var name: StaticString { "AMQP_TX_ROLLBACK_OK_METHOD" }
}
