// The product. All code is in the layers below; this target only carries the flags that make them librabbitmq.so.4.
@_exported import RabbitMQ
