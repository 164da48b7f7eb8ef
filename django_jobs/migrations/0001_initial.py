
import django.db.models.deletion
import django_jobs.models.fields
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Lease',
            fields=[
                ('name', models.CharField(max_length=50, primary_key=True, serialize=False)),
                ('holder', models.CharField(default='', max_length=150)),
                ('until', models.DateTimeField()),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='Queue',
            fields=[
                ('name', models.CharField(max_length=100, primary_key=True, serialize=False, verbose_name='name')),
                ('paused', models.BooleanField(default=False, verbose_name='paused')),
                ('paused_until', models.DateTimeField(blank=True, null=True, verbose_name='paused until')),
                ('changed_at', models.DateTimeField(verbose_name='changed')),
                ('changed_by', models.CharField(blank=True, default='', max_length=150, verbose_name='changed by')),
            ],
            options={
                'verbose_name': 'queue',
                'verbose_name_plural': 'queues',
                'ordering': ['name'],
                'permissions': [('pause_queue', 'Can pause and resume queues'), ('purge_queue', 'Can purge queues')],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='Counter',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=40)),
                ('hour', models.DateTimeField()),
                ('value', models.BigIntegerField()),
            ],
            options={
                'default_permissions': (),
                'indexes': [models.Index(fields=['name', 'hour'], name='dj_counter_name')],
            },
        ),
        migrations.CreateModel(
            name='Job',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('job_type', models.CharField(max_length=200, verbose_name='job type')),
                ('args', models.JSONField(blank=True, default=list, verbose_name='arguments')),
                ('kwargs', models.JSONField(blank=True, default=dict, verbose_name='keyword arguments')),
                ('queue', models.CharField(default='default', max_length=100, verbose_name='queue')),
                ('priority', models.SmallIntegerField(default=0, verbose_name='priority')),
                ('state', models.CharField(choices=[('scheduled', 'Scheduled'), ('awaiting', 'Awaiting'), ('enqueued', 'Enqueued'), ('processing', 'Processing'), ('paused', 'Paused'), ('succeeded', 'Succeeded'), ('failed', 'Failed'), ('deleted', 'Deleted')], max_length=12, verbose_name='state')),
                ('state_at', models.DateTimeField(verbose_name='in this state since')),
                ('state_reason', models.CharField(blank=True, default='', max_length=200, verbose_name='reason')),
                ('created_state', models.CharField(choices=[('scheduled', 'Scheduled'), ('awaiting', 'Awaiting'), ('enqueued', 'Enqueued'), ('processing', 'Processing'), ('paused', 'Paused'), ('succeeded', 'Succeeded'), ('failed', 'Failed'), ('deleted', 'Deleted')], max_length=12, verbose_name='created as')),
                ('run', models.PositiveIntegerField(default=0, verbose_name='run')),
                ('failures', models.PositiveSmallIntegerField(default=0, verbose_name='failed attempts')),
                ('deaths', models.PositiveSmallIntegerField(default=0, verbose_name='workers it killed')),
                ('worker', models.CharField(blank=True, default='', max_length=150, verbose_name='worker')),
                ('result', models.JSONField(blank=True, null=True, verbose_name='result')),
                ('tags', models.JSONField(blank=True, default=list, verbose_name='tags')),
                ('created_at', models.DateTimeField(verbose_name='created')),
                ('scheduled_at', models.DateTimeField(blank=True, null=True, verbose_name='scheduled for')),
                ('start_before', models.DateTimeField(blank=True, null=True, verbose_name='start before')),
                ('started_at', models.DateTimeField(blank=True, null=True, verbose_name='started')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='finished')),
                ('expires_at', models.DateTimeField(blank=True, null=True, verbose_name='kept until')),
                ('created_by_name', models.CharField(blank=True, default='', max_length=150, verbose_name="creator's name")),
                ('created_by', models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django_jobs.models.fields.forget_user, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='created by')),
            ],
            options={
                'verbose_name': 'job',
                'verbose_name_plural': 'jobs',
                'ordering': ['-id'],
                'permissions': [('enqueue_job', 'Can enqueue jobs'), ('cancel_job', 'Can cancel jobs'), ('pause_job', 'Can pause and resume jobs'), ('requeue_job', 'Can requeue jobs'), ('delete_job', 'Can delete jobs'), ('view_payload_job', 'Can see arguments and results of jobs')],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='JobState',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('name', models.CharField(choices=[('scheduled', 'Scheduled'), ('awaiting', 'Awaiting'), ('enqueued', 'Enqueued'), ('processing', 'Processing'), ('paused', 'Paused'), ('succeeded', 'Succeeded'), ('failed', 'Failed'), ('deleted', 'Deleted')], max_length=12, verbose_name='state')),
                ('reason', models.CharField(blank=True, default='', max_length=200, verbose_name='reason')),
                ('created_at', models.DateTimeField(verbose_name='at')),
                ('run', models.PositiveIntegerField(default=0, verbose_name='run')),
                ('data', models.JSONField(blank=True, default=dict, verbose_name='data')),
                ('job', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='states', to='django_jobs.job', verbose_name='job')),
            ],
            options={
                'verbose_name': 'state change',
                'verbose_name_plural': 'state changes',
                'ordering': ['id'],
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='Server',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=150, unique=True, verbose_name='name')),
                ('kind', models.CharField(choices=[('supervisor', 'Server'), ('worker', 'Worker'), ('scheduler', 'Scheduler')], max_length=12, verbose_name='kind')),
                ('application', models.CharField(default='', max_length=100, verbose_name='application')),
                ('host', models.CharField(max_length=255, verbose_name='host')),
                ('pid', models.PositiveIntegerField(verbose_name='process id')),
                ('version', models.CharField(default='', max_length=40, verbose_name='version')),
                ('queues', models.JSONField(default=list, verbose_name='queues')),
                ('types', models.JSONField(default=list, verbose_name='job types')),
                ('address', models.CharField(default='', max_length=150, verbose_name='address')),
                ('slots', models.PositiveIntegerField(default=0, verbose_name='slots')),
                ('busy', models.PositiveIntegerField(default=0, verbose_name='busy')),
                ('memory', models.PositiveBigIntegerField(default=0, help_text='Resident bytes.', verbose_name='memory')),
                ('cpu', models.FloatField(default=0, help_text='Percent of one core since the last heartbeat.', verbose_name='CPU')),
                ('wanted', models.CharField(blank=True, choices=[('quiet', 'Take no new jobs'), ('stop', 'Stop')], default='', max_length=12, verbose_name='asked to')),
                ('started_at', models.DateTimeField(verbose_name='started')),
                ('heartbeat_at', models.DateTimeField(verbose_name='last heartbeat')),
                ('parent', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='children', to='django_jobs.server', verbose_name='server')),
            ],
            options={
                'verbose_name': 'server',
                'verbose_name_plural': 'servers',
                'ordering': ['name'],
                'permissions': [('stop_server', 'Can stop and quiet servers')],
                'default_permissions': ('view',),
            },
        ),
        migrations.AddIndex(
            model_name='job',
            index=django_jobs.models.fields.PartialIndex(fields=['queue', 'id'], name='dj_job_enqueued', where=models.Q(('state', 'enqueued'))),
        ),
        migrations.AddIndex(
            model_name='job',
            index=django_jobs.models.fields.PartialIndex(fields=['scheduled_at', 'id'], name='dj_job_due', where=models.Q(('state', 'scheduled'))),
        ),
        migrations.AddIndex(
            model_name='job',
            index=django_jobs.models.fields.PartialIndex(fields=['worker', 'id'], name='dj_job_held', where=models.Q(('state', 'processing'))),
        ),
        migrations.AddIndex(
            model_name='job',
            index=django_jobs.models.fields.PartialIndex(fields=['state', 'id'], name='dj_job_aside', where=models.Q(('state__in', ['awaiting', 'paused', 'failed', 'deleted']))),
        ),
        migrations.AddIndex(
            model_name='job',
            index=django_jobs.models.fields.PartialIndex(fields=['expires_at'], name='dj_job_expires', where=models.Q(('expires_at__isnull', False))),
        ),
        migrations.AddIndex(
            model_name='job',
            index=django_jobs.models.fields.PartialIndex(fields=['created_by', 'id'], name='dj_job_creator', where=models.Q(('created_by__isnull', False))),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(fields=['job_type', 'id'], name='dj_job_type'),
        ),
    ]
