"""Domains of many owners. Pure."""

from typing import Final

KNOWN: Final = (
    "*.akamai.net", "*aws*.com", "*b-cdn.net", "*cdn77.*", "*cloudfunctions.net", "*fastly*", "*firebase*", "*ngrok*",
    "akamai*.*", "aliyuncs.com", "amazonaws.com*", "amplifyapp.com", "appspot.com", "atlassian.net", "azure*",
    "backblazeb2.com", "beeceptor.com", "bitbucket.io", "blogspot.*", "bubbleapps.io", "burpcollaborator.net",
    "canarytokens.com", "ceye.io", "cloudflare-ipfs.com", "cloudflarestorage.com", "cloudfront.net", "codeberg.page",
    "ddns*", "deno.dev", "digitaloceanspaces.com", "discord*.com", "dnslog.cn", "dropbox*.com", "duckdns.org", "dyn*",
    "edgekey.net", "edgesuite.net", "fly.dev", "force.com", "freemyip.com", "ghost.io", "github*", "gitlab.io",
    "glitch.me", "googleapis.com", "googleusercontent.com", "herokuapp.com", "hf.space", "hopto.org", "huggingface.co",
    "interact.sh", "ipfs.*", "lhr.life", "linodeobjects.com", "linodeusercontent.com", "loca.lt", "localhost.run",
    "localto.net", "mega.nz", "mongodb.net", "myftp.*", "mypinata.cloud", "myqcloud.com", "myshopify.com", "netlify.*",
    "nip.io", "no-ip.*", "notion.site", "oast.*", "onmicrosoft.com", "onrender.com", "oraclecloud.com", "ovh.*",
    "pages.dev", "pastebin.*", "pinggy.*", "pipedream.net", "playit.gg", "r2.dev", "railway.app", "readthedocs.io",
    "repl.co", "replit.*", "requestbin.*", "run.app", "s3.*", "scw.cloud", "serveo.net", "serveftp.com",
    "sharepoint.com", "slack.com", "sslip.io", "storjshare.io", "supabase.*", "surge.sh", "sytes.net", "telegram.org",
    "tigris.dev", "trycloudflare.com", "ts.net", "tunnelmole.net", "upcloudobjects.com", "val.run", "vercel.*",
    "vultrobjects.com", "wasabisys.com", "web.app", "webflow.io", "webhook.site", "weebly.com", "windows.net",
    "wixsite.com", "wordpress.com", "workers.dev", "xip.io", "zapto.org", "zendesk.com", "zrok.io",
)  # fmt: skip
"""Where anybody gets a name of their own: hosting, object stores, tunnels, dynamic DNS, content networks."""
