"""The application: everything that labhub is made of is put together here."""

from pathlib import Path

from flask import Flask
from flask_alembic import Alembic
from flask_smorest import Api
from werkzeug.middleware.proxy_fix import ProxyFix

from labhub import audit, logs, outbox, storage
from labhub.accounts import api as accounts_api
from labhub.accounts import commands as accounts_commands
from labhub.accounts import models as accounts_models
from labhub.accounts import views as accounts_views
from labhub.config import PROJECT_FOLDER, Config, load
from labhub.db import Model, engine_options, init_db
from labhub.forum import api as forum_api
from labhub.forum import views as forum_views
from labhub.i18n import current_language, translations
from labhub.indicators import api as indicators_api
from labhub.indicators import views as indicators_views
from labhub.jobs import make_jobs
from labhub.lmos import api as lmos_api
from labhub.lmos import views as lmos_views
from labhub.made_files import MadeFiles
from labhub.mail import postman_for
from labhub.methods import api as methods_api
from labhub.methods import background_views as method_background_views
from labhub.methods import compare_api as methods_compare_api
from labhub.methods import find_api as method_find_api
from labhub.methods import find_views as method_find_views
from labhub.methods import import_api as methods_import_api
from labhub.methods import import_views as methods_import_views
from labhub.methods import (
    network_api,
    network_views,
    recall_api,
    recall_views,
    review_api,
    review_views,
    specificity_api,
    specificity_views,
    study_api,
    study_views,
    verification_api,
    verification_views,
)
from labhub.methods import pack_api as methods_pack_api
from labhub.methods import pack_views as methods_pack_views
from labhub.methods import page_views as methods_page_views
from labhub.methods import sealed_api as method_sealed_api
from labhub.methods import sealed_models as method_sealed_models
from labhub.methods import sealed_views as method_sealed_views
from labhub.methods import views as methods_views
from labhub.samples import api as samples_api
from labhub.samples import views as samples_views
from labhub.sequences import api as sequences_api
from labhub.sequences import (
    background_api,
    background_views,
    identify_api,
    identify_views,
    insilico_api,
    insilico_views,
    sealed_api,
    sealed_views,
)
from labhub.sequences import views as sequences_views
from labhub.sequences.library_queries import keep_library_in
from labhub.storage import Incoming, store_for
from labhub.web import pages, schema_docs
from labhub.web.access import RecordNumber, protect
from labhub.web.auth import init_auth
from labhub.web.downloads import init_downloads
from labhub.web.errors import init_errors
from labhub.web.headers import init_headers
from labhub.web.json import Provider
from labhub.work import api as work_api
from labhub.work import views as work_views

__all__ = ["accounts_models", "audit", "create_app", "method_sealed_models", "outbox", "storage"]

alembic = Alembic(metadatas=Model.metadata)

API_BLUEPRINTS = (
    accounts_api,
    lmos_api,
    sequences_api,
    insilico_api,
    identify_api,
    sealed_api,
    method_sealed_api,
    background_api,
    method_find_api,
    methods_api,
    methods_compare_api,
    methods_import_api,
    review_api,
    recall_api,
    verification_api,
    study_api,
    methods_pack_api,
    specificity_api,
    network_api,
    samples_api,
    indicators_api,
    forum_api,
    work_api,
)
PAGE_BLUEPRINTS = (
    pages,
    accounts_views,
    lmos_views,
    background_views,
    sequences_views,
    insilico_views,
    identify_views,
    sealed_views,
    method_sealed_views,
    network_views,
    method_find_views,
    methods_views,
    methods_page_views,
    methods_import_views,
    review_views,
    recall_views,
    verification_views,
    study_views,
    methods_pack_views,
    specificity_views,
    indicators_views,
    forum_views,
    samples_views,
    work_views,
)


def create_app(config: Config | None = None) -> Flask:
    """Return the hub as a WSGI application; everything it is made of is put together here."""
    config = config or load()
    logs.configure(config.log_format)
    app = Flask(
        "labhub",
        root_path=str(Path(__file__).parent),
        template_folder="web/templates",
        static_folder="web/static",
        instance_path=str(config.instance.resolve()),
    )
    app.json = Provider(app)
    app.url_map.converters["int"] = RecordNumber
    app.config.update(
        SECRET_KEY=config.secret_key,
        MAX_CONTENT_LENGTH=config.max_upload_bytes,
        MAX_FORM_MEMORY_SIZE=1 << 20,
        MAX_FORM_PARTS=2000,
        PREFERRED_URL_SCHEME=config.base_url.partition(":")[0],
        SQLALCHEMY_ENGINES={"default": engine_options(config)},
        ALEMBIC={"script_location": str(PROJECT_FOLDER / "migrations" / "versions")},
        ALEMBIC_CONTEXT={
            "render_as_batch": True,
            "compare_type": True,
            "transactional_ddl": True,
            # full-text tables and indexes are made by migrations and are no models
            "include_name": lambda name, kind, _parent: not (name or "").startswith("search_method_"),
        },
        API_TITLE="labhub",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api/v1",
        OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS={
            "info": {"description": "Detection methods, sequences, cases, discussions and counts."},
            "components": {
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            },
            "security": [{"bearer": []}, {}],
        },
    )
    app.config["TEMPLATES_AUTO_RELOAD"] = False
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        lambda text: translations(current_language()).gettext(text),
        lambda one, many, number: translations(current_language()).ngettext(one, many, number),
        newstyle=True,
    )
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    app.extensions["labhub.config"] = config
    app.extensions["labhub.store"] = store_for(config.storage_url)
    app.extensions["labhub.incoming"] = Incoming(config.instance / "incoming")
    app.extensions["labhub.made_files"] = MadeFiles(config.instance / "made")
    app.extensions["labhub.jobs"] = make_jobs(app, config, postman_for(config))
    if config.trusted_proxies:
        count = config.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count)  # type: ignore[method-assign]

    init_db(app)
    alembic.init_app(app)
    audit.HEADS_FOLDER[:] = [config.instance]
    with app.app_context():
        keep_library_in(config.instance / "library")
    accounts_commands.BASE_URL[:] = [config.base_url]

    init_auth(app, config)
    init_downloads(app)
    method_find_views.init_alerts(app)
    recall_views.init_notices(app)
    api = Api(app)
    for module in API_BLUEPRINTS:
        for blueprint in module.BLUEPRINTS:
            api.register_blueprint(blueprint)
        for blueprint, access in module.ACCESS.items():
            protect(app, blueprint, access)
    for module in PAGE_BLUEPRINTS:
        app.register_blueprint(module.bp)
        protect(app, module.bp, module.ACCESS)
    network_views.init_jobs(app)
    sealed_views.init_jobs(app)
    method_sealed_views.init_jobs(app)
    specificity_views.init_jobs(app)
    work_views.init_jobs(app)
    insilico_views.init_insilico(app)
    method_background_views.init_jobs(app)
    identify_views.init_identify(app)
    schema_docs.init_docs(app)
    init_errors(app)
    init_headers(app, config)
    pages.init_pages(app)
    return app
