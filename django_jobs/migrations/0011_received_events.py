from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('django_jobs', '0010_service_levels'),
    ]

    operations = [
        migrations.CreateModel(
            name='ReceivedEvent',
            fields=[
                ('id', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('event_type', models.CharField(max_length=255)),
                ('received_at', models.DateTimeField(db_index=True)),
            ],
            options={
                'verbose_name': 'received event',
                'default_permissions': (),
            },
        ),
    ]
