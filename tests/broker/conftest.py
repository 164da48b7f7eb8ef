from tests.broker.rabbitmq import rabbitmq

__all__ = ["rabbitmq"]
