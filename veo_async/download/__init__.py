"""A finished video to a file, whole or not at all."""

from veo_async.download.download import save_bytes, save_video, stream_video
from veo_async.download.files import StoredFile, file_name
from veo_async.download.policy import DownloadPolicy

__all__ = ["DownloadPolicy", "StoredFile", "file_name", "save_bytes", "save_video", "stream_video"]
