#!/usr/bin/python3
"""A browser of WebKitGTK that keeps what pages keep, in the folder it is given. The one that comes along, MiniBrowser, is in
private mode whenever a WebDriver leads it."""

import sys

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("WebKit2", "4.1")
from gi.repository import Gtk, WebKit2

folder = sys.argv[1]
data = WebKit2.WebsiteDataManager(base_data_directory=folder, base_cache_directory=folder)
context = WebKit2.WebContext.new_with_website_data_manager(data)
context.set_automation_allowed(True)


def view(_session):
    view = WebKit2.WebView(web_context=context, is_controlled_by_automation=True)
    window = Gtk.Window(default_width=1280, default_height=900)
    window.add(view)
    view.connect("close", lambda _view: window.destroy())
    window.show_all()
    return view


context.connect("automation-started", lambda _context, session: session.connect("create-web-view", view))
Gtk.main()
